/* Exchanges and compares records, for agree.h. Cost: one synchronisation and one pass over the records. */
#include "src/onehost/create/agree.h"

#include <stdio.h>
#include <string.h>

#include "shm/base/fault.h"
#include "src/onehost/coll/describe.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/wait/broken.h"

static const uint32_t doing_kinds[] = { [MST_MAKES_GROUP] = MST_DOING_SPLIT,
                                        [MST_MAKES_COPY] = MST_DOING_DUP,
                                        [MST_MAKES_SHARE] = MST_DOING_SHARE,
                                        [MST_MAKES_SEAL] = MST_DOING_SEAL,
                                        [MST_MAKES_QUEUE] = MST_DOING_QUEUE };

static void name_of(uint64_t makes, char *text, size_t bytes)
{
    bool known = makes < sizeof doing_kinds / sizeof doing_kinds[0];

    mst_doing_name(&(mst_doing){ .kind = known ? doing_kinds[makes] : UINT32_MAX }, text, bytes);
}

static void describe(const void *arg, char *text, size_t bytes)
{
    const mst_agreement *agreement = arg;
    char name[MUSTER_CALL_NAME_BYTES];

    name_of(agreement->makes, name, sizeof name);
    snprintf(text, bytes, "%s #%llu of a group of %d", name, (unsigned long long)agreement->group->split,
             agreement->group->base.size);
}

muster_status mst_agree_begin(mst_agreement *agreement, mst_group *group, mst_makes makes)
{
    static const mst_wait_kind kind = { .describe = describe };

    *agreement = (mst_agreement){ group, makes, { &kind, group, agreement } };
    muster_status status = mst_group_ready(group, MUSTER_CALL_SPLIT);
    if (status != MUSTER_OK)
        return status;
    mst_group_begin(group);
    group->split++;
    mst_group_show(group, MUSTER_CALL_SPLIT, group->split + group->regroups,
                   &(mst_doing){ .kind = doing_kinds[makes], .peer = -1, .operation = group->split });
    group->splits.waiter.deadline.limit_ns = group->base.timeout_ns;
    group->splits.waiter.watch = mst_waiting_watch(&agreement->waiting);
    mst_sequence_begin(&group->splits);
    return MUSTER_OK;
}

/* Rank 0's call, and the first that differs from it: the same sentence on all ranks. */
static muster_status compare(const mst_agreement *agreement)
{
    mst_group *group = agreement->group;
    const mst_split_record *records = group->split_records;

    for (int rank = 1; rank < group->base.size; rank++) {
        char first[MUSTER_CALL_NAME_BYTES], other[MUSTER_CALL_NAME_BYTES];

        if (records[rank].makes == records[0].makes)
            continue;
        name_of(records[0].makes, first, sizeof first);
        name_of(records[rank].makes, other, sizeof other);
        return mst_group_poison_pair(
            group, rank, 0, "rank 0 called %s and rank %d %s; all must call the same", first, rank, other);
    }
    return MUSTER_OK;
}

muster_status mst_agree(mst_agreement *agreement, mst_split_record *own)
{
    mst_group *group = agreement->group;
    int missing;

    own->makes = agreement->makes;
    memcpy(mst_sequence_next(&group->splits)->payload, own, sizeof *own); /* published by E3 */
    mst_wait_result result = mst_sequence_round(&group->splits, &missing);
    if (result != MST_WAIT_READY) {
        char doing[64], late[120];

        describe(agreement, doing, sizeof doing);
        missing = mst_sequence_list_missing(&group->splits, late, sizeof late);
        return mst_group_wait_failed(group, result, doing, late, missing);
    }
    mst_group_arrived(group, MUSTER_CALL_SPLIT, &group->splits.waiter);
    for (int rank = 0; rank < group->base.size; rank++)
        memcpy(&group->split_records[rank], mst_sequence_arrival(&group->splits, rank)->payload,
               sizeof(mst_split_record)); /* E3: read once */
    mst_fault_point("split.exchanged");
    return compare(agreement);
}

void mst_agree_end(const mst_agreement *agreement)
{
    mst_group_shown(agreement->group, MUSTER_CALL_SPLIT);
}
