/*
 * Finds ranks that mix a blocking collective and a started one, for mixed.h.
 *
 * A rank in a blocking call starts nothing, since it is the one call of its class. So if a peer has started
 * more than this rank, and has not arrived in this rank's round, it has started it ahead of the call that the
 * round belongs to, and this rank has not. The order in which the two are read is what proves it: what a peer
 * has started after its arrival is seen only together with the arrival.
 */
#include "src/onehost/coll/mixed.h"

#include "shm/group/journal.h"
#include "src/onehost/broken.h"
#include "src/onehost/coll/advance.h"
#include "src/onehost/coll/describe.h"
#include "src/onehost/coll/round.h"

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

static void tell(const mst_call *call, int rank, const mst_journal_entry *entry)
{
    mst_call_record own = { 0 }, started;
    char called[100], other[100];

    mst_call_note(&own, call);
    mst_record_copy(&started, &entry->call); /* E32 */
    mst_request_describe(&own, called, sizeof called);
    mst_request_describe(&started, other, sizeof other);
    mst_group_poison_about(call->group, MST_POISON_MISMATCH, rank,
                           "rank %d called %s, its operation %llu of the group, and rank %d started %s, its "
                           "operation %llu, which are not the same",
                           call->group->base.rank, called, (unsigned long long)own.operation, rank, other,
                           (unsigned long long)started.operation);
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
            tell(call, rank, entry);
        return;
    }
}
