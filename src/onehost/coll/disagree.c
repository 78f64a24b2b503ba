/*
 * Who disagrees, when the balances of a collective with varied blocks do not add up to 0, for disagree.h.
 *
 * In as many rounds as it takes, each rank stages how much it gives to each rank, and looks for the first
 * rank whose number for it is not its own. In one more round each tells what it has found, and all break the
 * group by the finding of the lowest rank: with the same sentence, before any output is written.
 */
#include "src/onehost/coll/disagree.h"

#include <stdio.h>
#include <string.h>

#include "src/onehost/coll/round.h"
#include "src/onehost/coll/view.h"
#include "src/onehost/wait/broken.h"

#define STAGED_AT_ONCE 256 /* numbers */

/* Stages what we give to the ranks from `first` on. */
static void stage_counts(const mst_call *call, int first, int count)
{
    uint64_t numbers[STAGED_AT_ONCE];

    for (int at = 0; at < count; at++)
        numbers[at] = mst_counts_of(&call->request->gives, first + at);
    mst_stage(call, 0, numbers, (size_t)count * sizeof numbers[0]);
}

/* Looks at what the others give us, `at` numbers behind the beginning of what each has staged. */
static void look(const mst_call *call, int at, mst_count_finding *finding)
{
    for (int rank = 0; rank < call->group->base.size && !finding->found; rank++) {
        uint64_t given, taken = mst_counts_of(&call->request->takes, rank);

        memcpy(&given, mst_peer_slot(call, rank) + (size_t)at * sizeof given, sizeof given); /* E2 */
        if (given != taken)
            *finding = (mst_count_finding){ given, taken, 1, (uint32_t)rank };
    }
}

static muster_status find(mst_call *call, mst_count_finding *finding)
{
    int size = call->group->base.size, most = (int)(mst_slot_bytes(call) / sizeof(uint64_t));
    int own = call->group->base.rank, count;

    most = most < STAGED_AT_ONCE ? most : STAGED_AT_ONCE;
    for (int first = 0; first < size; first += count) {
        count = size - first < most ? size - first : most;
        stage_counts(call, first, count);
        muster_status status = mst_round(call, (size_t)count * sizeof(uint64_t));
        if (status != MUSTER_OK)
            return status;
        if (own >= first && own < first + count)
            look(call, own - first, finding);
    }
    return MUSTER_OK;
}

muster_status mst_varied_damaged(const mst_call *call, int rank)
{
    return mst_group_poison(call->group, MST_POISON_DAMAGE,
                            "rank %d says that it has bytes where it cannot have any: the arena is damaged",
                            rank);
}

muster_status mst_varied_tell(const mst_call *call, int taker, const mst_count_finding *finding)
{
    char name[40];

    if (finding->from >= (uint32_t)call->group->base.size)
        return mst_varied_damaged(call, taker);
    mst_collective_name(call->request->collective, call->request->op,
                        call->request->made ? call->request->made->name : NULL, name, sizeof name);
    return mst_group_poison_pair(
        call->group, (int)finding->from, taker,
        "in %s, operation %llu of the group, rank %u gives %llu elements to rank %d, and "
        "rank %d takes %llu from rank %u: their counts must agree",
        name, (unsigned long long)call->operation, finding->from, (unsigned long long)finding->given, taker,
        taker, (unsigned long long)finding->taken, finding->from);
}

muster_status mst_varied_tell_none(const mst_call *call)
{
    return mst_group_poison(
        call->group, MST_POISON_DAMAGE,
        "the counts of operation %llu disagree, though those of each two ranks agree: they "
        "were changed during the call, or the arena is damaged",
        (unsigned long long)call->operation);
}

muster_status mst_varied_disagree(mst_call *call)
{
    mst_count_finding own = { 0 }, other;

    call->plan.in_line = false;
    call->plan.part = MST_STAGING_RING;
    muster_status status = find(call, &own);
    call->plan.in_line = true;
    if (status == MUSTER_OK) {
        mst_stage(call, 0, &own, sizeof own);
        status = mst_round(call, sizeof own);
    }
    for (int rank = 0; rank < call->group->base.size && status == MUSTER_OK; rank++) {
        memcpy(&other, mst_peer_slot(call, rank), sizeof other); /* E2: read once */
        if (other.found)
            return mst_varied_tell(call, rank, &other);
    }
    return status == MUSTER_OK ? mst_varied_tell_none(call) : status;
}
