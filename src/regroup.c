/*
 * shrink: from a group that has lost ranks, a group of those that are left.
 *
 * Each survivor claims fresh memory, publishes its share in its cell of the old group (E11), and waits
 * until every other member has done so, has ended, or has left. It then proposes the living that it sees.
 * Survivors may see different deaths, so one proposal must count: a survivor writes its own into its cell
 * and offers it by compare-and-swap in the cell of rank 0, whose memory outlives rank 0; the first one
 * wins and all take it (E12). Nobody waits for a decision, so nobody can die in the middle of one: what a
 * rank left half written is either not offered, or whole. Who dies after that is a dead member of the new
 * group, which breaks on its first use, and is shrunk in turn.
 *
 * Cost: one wait for the slowest survivor, a pass over the members, a bell per member.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shm/atomic.h"
#include "shm/error.h"
#include "shm/fault.h"
#include "shm/os.h"
#include "src/child.h"

typedef struct gathering {
    muster_group *group;
    uint64_t number; /* of the shrink in the group, from 1 */
} gathering;

static mst_cell *own_cell(const muster_group *group)
{
    return group->subarena->cells[group->rank];
}

static bool has_arrived(const gathering *gathering, int rank)
{
    const mst_cell *cell = gathering->group->subarena->cells[rank];

    return mst_load64_acq(&cell->shrinks) >= gathering->number; /* E11 */
}

static bool never_comes(const muster_group *group, int rank)
{
    const mst_subarena *subarena = group->subarena;

    return !mst_subarena_has_member(subarena, rank) ||
           mst_liveness_ending(&subarena->attachment->geometry, subarena->shares[rank].seat).kind !=
               MUSTER_ENDED_NOT;
}

static bool all_accounted_for(const void *arg)
{
    const gathering *gathering = arg;

    for (int rank = 0; rank < gathering->group->size; rank++)
        if (!has_arrived(gathering, rank) && !never_comes(gathering->group, rank))
            return false;
    return true;
}

static mst_shrink_record *record_of(const gathering *gathering, int rank)
{
    return &gathering->group->subarena->cells[rank]->shrink_records[gathering->number & 1];
}

/* Publishes our share, and tells everyone who may be waiting for it. */
static void arrive(const gathering *gathering, const mst_split_record *own)
{
    muster_group *group = gathering->group;

    record_of(gathering, group->rank)->share = *own;
    mst_fault_point("shrink.arrive");
    mst_store64_rel(&own_cell(group)->shrinks, gathering->number); /* E11 */
    mst_fault_point("shrink.arrived");
    for (int rank = 0; rank < group->size; rank++)
        if (rank != group->rank)
            mst_signal_raise(&group->subarena->cells[rank]->bell);
}

static muster_status explain_late(const gathering *gathering)
{
    const muster_group *group = gathering->group;
    char late[120] = "";
    size_t used = 0;

    for (int rank = 0; rank < group->size && used + 8 < sizeof late; rank++)
        if (!has_arrived(gathering, rank) && !never_comes(group, rank))
            used += (size_t)snprintf(late + used, sizeof late - used, " %d", rank);
    return mst_fail(MUSTER_ERR_TIMED_OUT,
                    "rank %d waited %.3g s in shrink for rank(s)%s, which live and have not called it",
                    group->rank, (double)group->timeout_ns / MST_NS_PER_S, late);
}

static muster_status gather(const gathering *gathering)
{
    muster_group *group = gathering->group;
    mst_waiter waiter = { .policy = group->subarena->attachment->policy,
                          .timeout_ns = group->timeout_ns,
                          .watch = mst_group_watch(group) };
    mst_parking parking = mst_signal_parking(&own_cell(group)->bell);

    if (mst_wait_until(&waiter, parking, all_accounted_for, gathering, -1) == MST_WAIT_READY)
        return MUSTER_OK;
    return explain_late(gathering);
}

/* ---- the one proposal that counts ---- */

#define WINNER_BITS 16

static void propose(const gathering *gathering)
{
    muster_group *group = gathering->group;
    uint64_t *members = record_of(gathering, group->rank)->members;
    _Atomic uint64_t *decided = &group->subarena->cells[0]->decided;
    uint64_t offer = gathering->number << WINNER_BITS | (uint64_t)group->rank;

    for (int i = 0; i < MST_RANKS_MAX / 64; i++)
        members[i] = 0;
    for (int rank = 0; rank < group->size; rank++)
        if (has_arrived(gathering, rank) && !never_comes(group, rank))
            members[rank / 64] |= 1ULL << (rank % 64);
    mst_fault_point("shrink.propose");
    for (uint64_t found = mst_load64_acq(decided); found >> WINNER_BITS < gathering->number;) { /* E12 */
        uint64_t earlier = mst_cas64_sc(decided, found, offer);                                 /* E12 */
        mst_fault_point("shrink.decided");
        if (earlier == found)
            return;
        found = earlier;
    }
}

static bool is_member(const uint64_t *members, int rank)
{
    return (members[rank / 64] >> (rank % 64) & 1) != 0;
}

static muster_status damaged(const muster_group *group, const char *what)
{
    return mst_fail(MUSTER_ERR_BAD_ARENA, "rank %d: %s in shrink: the arena is damaged", group->rank, what);
}

/* Reads the shares of those who were decided upon, in the old order. */
static muster_status read_decision(const gathering *gathering, mst_share *shares, int *own_rank, int *size)
{
    muster_group *group = gathering->group;
    uint64_t decided = mst_load64_acq(&group->subarena->cells[0]->decided); /* E12 */
    uint64_t winner = decided & ((1ULL << WINNER_BITS) - 1), members[MST_RANKS_MAX / 64];

    if (decided >> WINNER_BITS != gathering->number || winner >= (uint64_t)group->size)
        return damaged(group, "nobody of the group decided");
    for (int i = 0; i < MST_RANKS_MAX / 64; i++)
        members[i] = record_of(gathering, (int)winner)->members[i]; /* E12: read once */
    if (!is_member(members, group->rank))
        return damaged(group, "the others take this rank for dead");
    *size = 0;
    for (int rank = 0; rank < group->size; rank++) {
        if (!is_member(members, rank))
            continue;
        mst_split_record record = record_of(gathering, rank)->share; /* E11: read once */
        if (record.status != MUSTER_OK)
            return mst_fail(MUSTER_ERR_NO_SPACE,
                            "rank %d could not get its share of the new group (%s); free what is not needed "
                            "and shrink again",
                            rank, muster_status_string((muster_status)record.status));
        if (rank == group->rank)
            *own_rank = *size;
        shares[(*size)++] = mst_child_share(group, rank, &record);
    }
    return MUSTER_OK;
}

/* ---- all of it ---- */

static muster_status form(const gathering *gathering, const mst_share *own, muster_group **survivors)
{
    muster_group *group = gathering->group;
    mst_share *shares = calloc((size_t)group->size, sizeof *shares);
    int rank = 0, size = 0;

    muster_status status = shares
                               ? read_decision(gathering, shares, &rank, &size)
                               : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %d", group->size);
    if (status == MUSTER_OK)
        status = mst_child_create(group, shares, rank, size, own, survivors);
    else if (status == MUSTER_ERR_NO_SPACE) /* all have seen it, so nobody uses the share */
        mst_share_release(group->subarena->attachment, own);
    else
        mst_share_abandon(group->subarena->attachment, own);
    free(shares);
    return status;
}

static muster_status shrink(muster_group *group, muster_group **survivors)
{
    mst_attachment *attachment = group->subarena->attachment;
    gathering gathering = { group, ++group->shrinks };
    mst_share own = { 0 };

    muster_status claimed = mst_share_claim(attachment, &own);
    mst_split_record record = mst_child_record(&own, claimed);
    arrive(&gathering, &record); /* also when claiming failed: the others must know */
    muster_status status = gather(&gathering);
    if (status == MUSTER_OK)
        propose(&gathering);
    if (claimed != MUSTER_OK)
        return claimed;
    if (status != MUSTER_OK) {
        mst_share_abandon(attachment, &own);
        return status;
    }
    return form(&gathering, &own, survivors);
}

muster_status muster_group_shrink(muster_group *group, muster_group **survivors)
{
    if (!survivors)
        return mst_fail(MUSTER_ERR_INVALID, "there is no place for the survivors: the last argument is NULL");
    muster_status status = mst_group_occupy(group, MST_ENTER_SPLIT); /* a broken group, too */
    if (status != MUSTER_OK)
        return status;
    status = mst_group_broken(group);
    if (status != MUSTER_ERR_BAD_ARENA)
        status = shrink(group, survivors);
    mst_group_leave(group, MST_ENTER_SPLIT);
    return status;
}
