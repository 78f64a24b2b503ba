/*
 * split: from one group, a group per color.
 *
 * Each rank that gives a color claims its share of the child (a cell and staging in its own region), then all
 * exchange records in one round of the parent's split sequence. From the same records every rank computes the
 * same members in the same order; no further agreement is needed. A child is visible only to ranks that have
 * seen all records, so a rank that dies before it has published leaves none behind. Cost: one synchronisation
 * and one pass over the parent's records.
 */
#include "src/onehost/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "src/onehost/broken.h"
#include "src/onehost/child.h"
#include "src/onehost/showing.h"
#include "src/onehost/stall.h"

/* The members of this rank's color in the child's order, and this rank's place among them. */
typedef struct membership {
    mst_share *shares;
    int rank;
    int size;
} membership;

static void describe(const void *arg, char *text, size_t bytes)
{
    const mst_group *group = arg;

    snprintf(text, bytes, "split #%llu of a group of %d", (unsigned long long)group->split, group->base.size);
}

/* Publishes this rank's record and copies everyone's: one round. */
static muster_status exchange(mst_group *group, const mst_split_record *own)
{
    int missing;

    memcpy(mst_sequence_next(&group->splits)->payload, own, sizeof *own); /* published by E3 */
    mst_wait_result result = mst_sequence_round(&group->splits, &missing);
    if (result != MST_WAIT_READY) {
        char doing[64], late[120];

        describe(group, doing, sizeof doing);
        mst_sequence_list_missing(&group->splits, late, sizeof late);
        return mst_group_wait_failed(group, result, doing, late);
    }
    mst_group_arrived(group, MUSTER_CALL_SPLIT, &group->splits.waiter);
    for (int rank = 0; rank < group->base.size; rank++)
        memcpy(&group->split_records[rank], mst_sequence_arrival(&group->splits, rank)->payload,
               sizeof(mst_split_record)); /* E3: read once */
    return MUSTER_OK;
}

/* ---- computing the members ---- */

typedef struct candidate {
    int key;
    int parent_rank;
} candidate;

static int by_key_then_rank(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->parent_rank < y->parent_rank ? -1 : 1;
}

static muster_status check_members(const mst_group *group, const candidate *members, int size)
{
    for (int i = 0; i < size; i++) {
        const mst_split_record *record = &group->split_records[members[i].parent_rank];

        if (record->status != MUSTER_OK)
            return mst_fail(
                MUSTER_ERR_NO_SPACE,
                "rank %d could not get its share of the new group (%s); the parent group is unchanged",
                members[i].parent_rank, muster_status_string((muster_status)record->status));
    }
    return MUSTER_OK;
}

static muster_status gather_members(mst_group *group, int color, membership *child)
{
    candidate *members = calloc((size_t)group->base.size, sizeof *members);
    muster_status status;
    int size = 0;

    child->shares = calloc((size_t)group->base.size, sizeof *child->shares);
    if (!members || !child->shares) {
        free(members);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of up to %d", group->base.size);
    }
    for (int rank = 0; rank < group->base.size; rank++)
        if (group->split_records[rank].color == color)
            members[size++] = (candidate){ group->split_records[rank].key, rank };
    qsort(members, (size_t)size, sizeof *members, by_key_then_rank);
    status = check_members(group, members, size);
    child->size = size;
    for (int i = 0; i < size; i++) {
        int parent_rank = members[i].parent_rank;
        const mst_split_record *record = &group->split_records[parent_rank];

        child->shares[i] = mst_child_share(group, parent_rank, record);
        if (parent_rank == group->base.rank)
            child->rank = i;
    }
    free(members);
    return status;
}

/* ---- the split itself ---- */

static muster_status make_child(mst_group *group, int color, const mst_share *own, mst_group **child)
{
    mst_attachment *attachment = group->subarena->attachment;
    membership members = { NULL, 0, 0 };

    muster_status status = gather_members(group, color, &members);
    if (status == MUSTER_ERR_NO_SPACE) {
        mst_share_release(attachment, own);
    } else if (status != MUSTER_OK) {
        mst_share_abandon(attachment, own);
    } else {
        status = mst_child_create(group, members.shares, members.rank, members.size, own, child);
    }
    free(members.shares);
    return status;
}

static muster_status split(mst_group *group, int color, int key, mst_group **child)
{
    mst_attachment *attachment = group->subarena->attachment;
    static const mst_wait_kind kind = { .describe = describe };
    mst_waiting waiting = { &kind, group, group };
    mst_share own = { 0 };
    bool joins = color != MUSTER_COLOR_NONE;

    mst_group_begin(group);
    group->split++;
    mst_group_show(group, MUSTER_CALL_SPLIT, group->split + group->regroups,
                   &(mst_doing){ .kind = MST_DOING_SPLIT, .peer = -1, .operation = group->split });
    group->splits.waiter.deadline.limit_ns = group->base.timeout_ns;
    mst_sequence_begin(&group->splits, mst_waiting_watch(&waiting));
    muster_status claimed = joins ? mst_share_claim(attachment, &own) : MUSTER_OK;
    mst_split_record record = mst_child_record(&own, claimed);
    record.color = color;
    record.key = key;
    record.operation = group->split;
    muster_status status = exchange(group, &record); /* even if claiming failed: the others must know */
    if (status != MUSTER_OK) {
        if (joins && claimed == MUSTER_OK)
            mst_share_abandon(attachment, &own);
        return status;
    }
    mst_fault_point("split.exchanged");
    if (claimed != MUSTER_OK)
        return claimed;
    if (joins)
        return make_child(group, color, &own, child);
    return MUSTER_OK;
}

muster_status mst_split(muster_group *of, int color, int key, muster_group **child)
{
    mst_group *group = mst_group_of(of);
    mst_group *made = NULL;

    muster_status status = mst_group_ready(group, MUSTER_CALL_SPLIT);
    if (status != MUSTER_OK)
        return status;
    status = split(group, color, key, &made);
    mst_group_shown(group, MUSTER_CALL_SPLIT);
    if (status == MUSTER_OK)
        *child = made ? &made->base : NULL;
    return status;
}
