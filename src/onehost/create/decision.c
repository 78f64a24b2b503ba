/* Finds the one membership list that all survivors of a group use, as decision.h describes. */
#include "src/onehost/create/decision.h"

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/death/terminations.h"
#include "src/onehost/create/child.h"
#include "src/onehost/create/respawned.h"

/* ---- what the others have published ---- */

const char *mst_regroup_name(const mst_regroup_call *regroup)
{
    return regroup->grows ? "grow" : "shrink";
}

bool mst_regroup_has_arrived(const mst_regroup_call *regroup, int rank)
{
    const mst_cell *cell = regroup->group->subarena->cells[rank];

    return mst_load64_acq(&cell->regroups) >> 1 >= regroup->number; /* E11 */
}

bool mst_regroup_never_comes(const mst_group *group, int rank)
{
    const mst_subarena *subarena = group->subarena;

    return !mst_subarena_has_member(subarena, rank) ||
           mst_termination_of(&subarena->attachment->geometry, subarena->members[rank].seat).kind !=
               MUSTER_TERMINATION_NONE;
}

mst_regroup_record *mst_regroup_record_of(const mst_regroup_call *regroup, int rank)
{
    return &regroup->group->subarena->cells[rank]->regroup_records[regroup->number & 1];
}

/* ---- the winning proposal ---- */

#define WINNER_BITS 16
#define DECISION_TRIES 4

/* False: a replacement is to be waited for again. */
static bool draw_up_list(mst_regroup_call *regroup)
{
    const mst_group *group = regroup->group;
    mst_member_list *list = &regroup->list;
    bool are_here = true;

    mst_fault_point("regroup.draw");
    list->size = 0;
    for (int rank = 0; rank < group->base.size; rank++) {
        if (!mst_regroup_has_arrived(regroup, rank) || mst_regroup_never_comes(group, rank))
            continue;
        mst_split_record record = mst_regroup_record_of(regroup, rank)->member; /* E11: read once */
        list->members[list->size++] = mst_child_member(group, rank, &record);
    }
    if (regroup->grows)
        are_here = mst_respawned_enrol(group, list);
    mst_member_list_write(&group->subarena->attachment->geometry, group->subarena->own.seat,
                          regroup->list_offset, list);
    return are_here;
}

bool mst_decision_propose(mst_regroup_call *regroup)
{
    mst_group *group = regroup->group;
    _Atomic uint64_t *decided = &group->subarena->cells[0]->decided;
    uint64_t offer = regroup->number << WINNER_BITS | (uint64_t)group->base.rank;

    bool are_here = draw_up_list(regroup);
    mst_fault_point("regroup.propose");
    uint64_t found = mst_load64_acq(decided); /* E12 */
    if (!are_here && found >> WINNER_BITS < regroup->number)
        return false;
    /* A faster rank has decided; if the word changes more often than DECISION_TRIES, it is damaged, which
     * read_decision detects. */
    for (int tries = 0; tries < DECISION_TRIES && found >> WINNER_BITS < regroup->number; tries++) {
        uint64_t earlier = mst_cmpxchg64_sc(decided, found, offer); /* E12 */

        mst_fault_point("regroup.decided");
        if (earlier == found)
            break;
        found = earlier;
    }
    return true;
}

static muster_status damaged(const mst_regroup_call *regroup, const char *what)
{
    return mst_fail(MUSTER_ERR_BAD_ARENA, "rank %d: %s in %s: the arena is damaged",
                    regroup->group->base.rank, what, mst_regroup_name(regroup));
}

/* Checks the records of all on the membership list; all readers get the same result. */
static muster_status check_records(const mst_regroup_call *regroup)
{
    const mst_group *group = regroup->group;

    for (int rank = 0; rank < group->base.size; rank++) {
        if (mst_member_list_find(&regroup->list, group->subarena->members[rank].seat) < 0)
            continue;
        mst_regroup_record record = *mst_regroup_record_of(regroup, rank); /* E11: read once */
        if (record.member.status != MUSTER_OK)
            return mst_fail_about(
                rank, MUSTER_ERR_NO_SPACE,
                "rank %d could not get memory for its part of the new group (%s); free what is not needed "
                "and try again",
                rank, muster_status_string((muster_status)record.member.status));
        if ((record.grows != 0) != regroup->grows)
            return mst_fail_about(
                rank, MUSTER_ERR_MISMATCH,
                "rank %d called %s and rank %d %s; all must call the same, and may try again",
                group->base.rank, mst_regroup_name(regroup), rank, regroup->grows ? "shrink" : "grow");
    }
    return MUSTER_OK;
}

/* Reads the winning membership list, and where it is. */
muster_status mst_decision_read(mst_regroup_call *regroup, uint32_t *list_seat, uint64_t *list_offset)
{
    const mst_subarena *subarena = regroup->group->subarena;
    uint64_t decided = mst_load64_acq(&subarena->cells[0]->decided); /* E12 */
    uint64_t winner = decided & ((1ULL << WINNER_BITS) - 1);

    if (decided >> WINNER_BITS != regroup->number || winner >= (uint64_t)regroup->group->base.size)
        return damaged(regroup, "no member of the group decided");
    *list_seat = subarena->members[winner].seat;
    *list_offset = mst_regroup_record_of(regroup, (int)winner)->list_offset; /* E12: read once */
    muster_status status =
        mst_member_list_read(&subarena->attachment->geometry, *list_seat, *list_offset, &regroup->list);
    if (status == MUSTER_OK && mst_member_list_find(&regroup->list, subarena->own.seat) < 0)
        status = damaged(regroup, "the other members consider this rank dead");
    return status == MUSTER_OK ? check_records(regroup) : status;
}
