/* Counts, lists, admits and awaits respawned ranks, for respawned.h. */
#include "src/onehost/create/respawned.h"
#include "shm/death/terminations.h"
#include "src/onehost/wait/broken.h"

#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/death/references.h"
#include "shm/death/successor.h"
#include "shm/port/os.h"

static uint32_t rank_in_world(const mst_group *group, uint32_t seat)
{
    return mst_layout_entry(&group->subarena->attachment->geometry, seat)->rank;
}

static bool is_member(const mst_group *group, uint32_t seat)
{
    for (int rank = 0; rank < group->base.size; rank++)
        if (group->subarena->members[rank].seat == seat)
            return true;
    return false;
}

bool mst_respawned_are_here(const mst_group *group)
{
    mst_attachment *attachment = group->subarena->attachment;
    uint32_t seat;

    for (uint32_t rank = 0; rank < attachment->geometry.size; rank++)
        if (mst_successor_look(&attachment->liveness, rank, &seat) == MST_COMING)
            return false;
    return true;
}

/* ---- the membership list ---- */

static void sort_by_rank(const mst_group *group, mst_member_list *list)
{
    for (int i = 1; i < list->size; i++) { /* the members are already in order, or nearly */
        mst_member member = list->members[i];
        uint32_t rank = rank_in_world(group, member.seat);
        int at = i;

        for (; at > 0 && rank_in_world(group, list->members[at - 1].seat) > rank; at--)
            list->members[at] = list->members[at - 1];
        list->members[at] = member;
    }
}

bool mst_respawned_enrol(const mst_group *group, mst_member_list *list)
{
    mst_attachment *attachment = group->subarena->attachment;
    bool are_here = true;
    uint32_t seat;

    for (uint32_t rank = 0; rank < attachment->geometry.size && list->size < list->room; rank++) {
        mst_presence found = mst_successor_look(&attachment->liveness, rank, &seat);

        are_here = are_here && found != MST_COMING;
        if (found != MST_WAITING)
            continue;
        const mst_cell *cell = mst_layout_cell(&attachment->geometry, seat, MST_WORLD_CELL);
        list->members[list->size++] =
            (mst_member){ seat, MST_WORLD_CELL, MST_WORLD_MEMBERSHIP, cell->staging_offset, 0 }; /* E1 */
    }
    sort_by_rank(group, list);
    return are_here;
}

/* ---- admission ---- */

/* Adds references on behalf of the respawned rank: it may read what others on the list have written after
 * those are dead and we have left. */
static void hold_for(const mst_geometry *geometry, uint32_t respawned, const mst_member_list *list)
{
    for (int i = 0; i < list->size; i++)
        if (list->members[i].seat < geometry->seats)
            mst_references_add(geometry, list->members[i].seat, respawned);
}

muster_status mst_respawned_admit(mst_group *group, const mst_member_list *list, uint32_t list_seat,
                                  uint64_t list_offset)
{
    const mst_geometry *geometry = &group->subarena->attachment->geometry;

    for (int i = 0; i < list->size; i++) {
        uint32_t seat = list->members[i].seat;

        if (seat >= geometry->seats)
            return mst_fail(MUSTER_ERR_BAD_ARENA,
                            "the membership list of a new group names seat %u of %u: the arena "
                            "is damaged",
                            seat, geometry->seats);
        if (is_member(group, seat))
            continue;
        if (mst_load64_acq(&mst_layout_entry(geometry, seat)->admission) == 0) /* E16: else it was done */
            hold_for(geometry, seat, list);
        if (mst_successor_admit(geometry, seat, list_seat, list_offset))
            continue;
        return mst_fail(MUSTER_ERR_INVALID,
                        "the replacement of rank %u is in another group already: two groups of the world "
                        "grew at the same time",
                        rank_in_world(group, seat));
    }
    return MUSTER_OK;
}

typedef struct respawned {
    const mst_group *group;
    const mst_member_list *list;
} respawned;

static bool is_on_the_way(const respawned *awaited, uint32_t seat)
{
    const mst_geometry *geometry = &awaited->group->subarena->attachment->geometry;

    return mst_load32_acq(&mst_layout_entry(geometry, seat)->state) == MST_RANK_WAITING && /* E1 */
           mst_termination_of(geometry, seat).kind == MUSTER_TERMINATION_NONE;
}

static bool nobody_on_the_way(const void *arg)
{
    const respawned *awaited = arg;

    for (int i = 0; i < awaited->list->size; i++)
        if (is_on_the_way(awaited, awaited->list->members[i].seat))
            return false;
    return true;
}

muster_status mst_respawned_await(mst_group *group, const mst_member_list *list, mst_waiter *waiter)
{
    mst_attachment *attachment = group->subarena->attachment;
    respawned awaited = { group, list };
    mst_parking parking = mst_eventcount_parking(&mst_layout_header(&attachment->geometry)->arrivals);

    mst_wait_result result = mst_wait_until(waiter, parking, nobody_on_the_way, &awaited, -1);
    if (result == MST_WAIT_READY)
        return MUSTER_OK;
    if (result == MST_WAIT_POISONED)
        return mst_group_interrupted(group, "grow");
    mst_fail(MUSTER_ERR_TIMED_OUT, "rank %d waited %.3g s in grow for a replacement to enter the new group",
             group->base.rank, (double)group->base.timeout_ns / MST_NS_PER_S);
    mst_error_late(group->base.timeout_ns);
    return mst_group_error(group, MUSTER_ERR_TIMED_OUT);
}
