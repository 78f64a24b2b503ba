/*
 * Finds ranks that mix a blocking collective and a started one, for mixed.h.
 *
 * A rank in a blocking call starts nothing, since it is the one call of its class. So if a peer has started
 * more than this rank, and has not arrived in this rank's round, it has started it ahead of the call that the
 * round belongs to, and this rank has not. The order in which the two are read is what proves it: what a peer
 * has started after its arrival is seen only together with the arrival. From the other side: what a peer has
 * started before it arrived in a call is seen together with the arrival.
 */
#include "src/onehost/coll/mixed.h"

#include "shm/group/journal.h"
#include "src/onehost/coll/advance.h"
#include "src/onehost/coll/agree.h"
#include "src/onehost/coll/describe.h"
#include "src/onehost/wait/broken.h"

/* A member that has left may have started something in the next group that its cell belongs to: hence the
 * last look. */
static bool has_started_instead(const mst_call *call, int rank)
{
    const mst_subarena *subarena = call->group->subarena;

    return mst_journal_is_ahead(subarena, rank) && !mst_sequence_has_arrived(call->sequence, rank) &&
           mst_subarena_has_member(subarena, rank);
}

/* With the lock, so that no thread of this rank reads journals meanwhile. */
static const mst_journal_entry *find_started(const mst_call *call, int rank)
{
    mst_group *group = call->group;
    const mst_journal *own = group->started ? &group->started->journal : NULL;

    mst_pending_lock(group);
    const mst_journal_entry *found = mst_journal_first_ahead(group->subarena, own, rank);
    mst_pending_unlock(group);
    return found;
}

typedef struct side {
    int rank;
    mst_call_record record;
} side;

static void tell(mst_group *group, const side *caller, const side *starter)
{
    char called[100], started[100];

    mst_request_describe(&caller->record, called, sizeof called);
    mst_request_describe(&starter->record, started, sizeof started);
    mst_group_poison_pair(group, starter->rank, caller->rank,
                          "rank %d called %s, its operation %llu of the group, and rank %d started %s, its "
                          "operation %llu, which are not the same",
                          caller->rank, called, (unsigned long long)caller->record.operation, starter->rank,
                          started, (unsigned long long)starter->record.operation);
}

/* ---- of whoever calls ---- */

static void tell_of_started(const mst_call *call, int rank, const mst_journal_entry *entry)
{
    side own = { .rank = call->group->base.rank }, other = { .rank = rank };

    mst_call_note(&own.record, call);
    mst_record_copy(&other.record, &entry->call); /* E32 */
    tell(call->group, &own, &other);
}

void mst_call_look_for_started(const void *arg)
{
    const mst_call *call = arg;

    for (int rank = 0; rank < call->group->base.size; rank++) {
        if (rank == call->group->base.rank || !has_started_instead(call, rank) ||
            mst_subarena_is_broken(call->group->subarena))
            continue;
        const mst_journal_entry *entry = find_started(call, rank);
        if (entry)
            tell_of_started(call, rank, entry);
        return;
    }
}

/* ---- of whoever has started ---- */

static bool is_called_instead(const mst_group *group, int rank, uint64_t number)
{
    return mst_sequence_is_ahead(&group->collectives, rank) &&
           !mst_journal_has_come(&group->started->journal, MST_JOURNAL_STARTED, rank, number) &&
           mst_subarena_has_member(group->subarena, rank);
}

/* The first of ours that a rank has not started. With the lock. */
static const mst_started_op *first_missing(const mst_group *group, int rank)
{
    const mst_started_op *operation = group->started->first;

    while (operation &&
           mst_journal_has_come(&group->started->journal, MST_JOURNAL_STARTED, rank, operation->number))
        operation = operation->next;
    return operation;
}

static void tell_of_call(mst_group *group, int rank)
{
    side own = { .rank = group->base.rank }, other = { .rank = rank };
    unsigned parity = (group->collectives.operations + 1) & 1;

    mst_pending_lock(group);
    const mst_started_op *operation = first_missing(group, rank);
    if (operation)
        mst_record_copy(&own.record, &operation->entry->call);
    mst_pending_unlock(group);
    mst_record_copy(&other.record, &group->subarena->cells[rank]->calls[parity]); /* E2 */
    if (operation)
        tell(group, &other, &own);
}

void mst_started_look_for_calls(const mst_pending *pending)
{
    const mst_started_op *operation = (const mst_started_op *)(uintptr_t)pending;
    mst_group *group = pending->group;

    if (!group->started || mst_subarena_is_broken(group->subarena))
        return;
    for (int rank = 0; rank < group->base.size; rank++)
        if (rank != group->base.rank && is_called_instead(group, rank, operation->number)) {
            tell_of_call(group, rank);
            return;
        }
}
