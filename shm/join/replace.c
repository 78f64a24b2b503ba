/* Waits for admission and enters the group, as described in replace.h. */
#include "shm/join/replace.h"

#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/death/successor.h"
#include "shm/death/terminations.h"
#include "shm/join/member_list.h"
#include "shm/port/os.h"

/* WAITING is the last store of the preparation: a rank that sees it may use the seat's cell 0 and staging. */
static void announce(const mst_attachment *attachment)
{
    mst_header *header = mst_layout_header(&attachment->geometry);

    mst_fault_point("respawned.wait");
    mst_store32_rel(&mst_layout_entry(&attachment->geometry, attachment->seat)->state,
                    MST_RANK_WAITING); /* E1 */
    mst_fault_point("respawned.waiting");
    mst_add32_sc(&header->terminations, 1); /* E8: there is one more death word to watch */
    mst_wake_watchers(&header->terminations);
    mst_eventcount_advance(&header->arrivals); /* E1 */
}

/* ---- waiting ---- */

static bool can_admit(const mst_geometry *geometry, uint32_t seat)
{
    const mst_rank_entry *entry = mst_layout_entry(geometry, seat);
    uint32_t state = mst_load32_acq(&entry->state); /* E1 */
    bool inside = state == MST_RANK_ATTACHED ||
                  (state == MST_RANK_WAITING && mst_load64_acq(&entry->admission)); /* E16 */

    return inside && mst_termination_of(geometry, seat).kind == MUSTER_TERMINATION_NONE;
}

static bool anyone_can_admit(const mst_attachment *attachment)
{
    for (uint32_t seat = 0; seat < attachment->geometry.seats; seat++)
        if (seat != attachment->seat && can_admit(&attachment->geometry, seat))
            return true;
    return false;
}

static bool is_waiting(const mst_attachment *attachment)
{
    const mst_rank_entry *entry = mst_layout_entry(&attachment->geometry, attachment->seat);

    return mst_load32_acq(&entry->state) == MST_RANK_WAITING; /* our own */
}

static bool is_decided(const void *arg)
{
    const mst_attachment *attachment = arg;
    uint64_t offset;
    uint32_t seat;

    return mst_successor_admitted(&attachment->geometry, attachment->seat, &seat, &offset) ||
           !is_waiting(attachment) || !anyone_can_admit(attachment);
}

static muster_status await_admission(mst_attachment *attachment, uint32_t *list_seat, uint64_t *list_offset)
{
    mst_awaited result = mst_attachment_await(attachment, is_decided, attachment);

    if (mst_successor_admitted(&attachment->geometry, attachment->seat, list_seat, list_offset) ||
        !mst_successor_give_up(&attachment->geometry, attachment->seat)) {
        mst_successor_admitted(&attachment->geometry, attachment->seat, list_seat, list_offset);
        return MUSTER_OK;
    }
    if (!is_waiting(attachment))
        return mst_fail(MUSTER_ERR_BAD_ARENA, "the entry of rank %u was overwritten: the arena is damaged",
                        attachment->rank);
    if (result == MST_AWAITED_ORPHANED)
        return mst_fail(MUSTER_ERR_PEER_DIED, "the launcher of these ranks is gone, and the job with it");
    if (result == MST_AWAITED_INTERRUPTED)
        return mst_fail(MUSTER_ERR_ABORTED, "rank %u was interrupted while it waited to be admitted",
                        attachment->rank);
    if (result == MST_AWAITED_TOO_LONG)
        return mst_fail(MUSTER_ERR_TIMED_OUT,
                        "rank %u was started again and waited %.1f s for the others to admit it, with "
                        "muster_group_grow; give them longer with MUSTER_ATTACH_TIMEOUT",
                        attachment->rank, (double)attachment->attaching.patience.total_ns / MST_NS_PER_S);
    return mst_fail(MUSTER_ERR_PEER_DIED,
                    "rank %u was started again, and all others have ended or left without admitting it "
                    "(muster_group_grow)",
                    attachment->rank);
}

/* ---- entering ---- */

static muster_status read_list(mst_attachment *attachment, const mst_member *own, uint32_t list_seat,
                               uint64_t list_offset, mst_member_list *list)
{
    muster_status status = mst_member_list_read(&attachment->geometry, list_seat, list_offset, list);
    if (status != MUSTER_OK)
        return status;
    int rank = mst_member_list_find(list, attachment->seat);
    if (rank >= 0 && list->members[rank].cell == own->cell &&
        list->members[rank].membership == own->membership &&
        list->members[rank].staging_offset == own->staging_offset)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_BAD_ARENA,
                    "rank %u was admitted to a group that it is not in: the arena is damaged",
                    attachment->rank);
}

static muster_status enter(mst_attachment *attachment, const mst_member *own, uint32_t list_seat,
                           uint64_t list_offset, mst_subarena **group)
{
    int room = (int)(attachment->geometry.size + attachment->geometry.seats);
    mst_member_list list = { calloc((size_t)room, sizeof *list.members), room, 0, { 0, 0 } };

    muster_status status = list.members
                               ? read_list(attachment, own, list_seat, list_offset, &list)
                               : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of up to %d", room);
    if (status == MUSTER_OK) {
        attachment->waits.policy = list.policy;
        status = mst_subarena_open(attachment, list.members, mst_member_list_find(&list, attachment->seat),
                                   list.size, group);
    }
    free(list.members);
    return status;
}

/* ATTACHED also means that we have read the membership list: its memory may be reused. */
static void settle(mst_attachment *attachment)
{
    mst_fault_point("respawned.attach");
    mst_store32_rel(&mst_layout_entry(&attachment->geometry, attachment->seat)->state,
                    MST_RANK_ATTACHED); /* E1 */
    mst_fault_point("respawned.attached");
    mst_eventcount_advance(&mst_layout_header(&attachment->geometry)->arrivals); /* E1 */
}

muster_status mst_replace(mst_attachment *attachment, const mst_member *own, mst_subarena **group)
{
    uint64_t list_offset;
    uint32_t list_seat;

    announce(attachment);
    muster_status status = await_admission(attachment, &list_seat, &list_offset);
    if (status == MUSTER_OK)
        status = enter(attachment, own, list_seat, list_offset, group);
    if (status == MUSTER_OK)
        settle(attachment);
    else
        mst_member_abandon(attachment, own);
    return status;
}
