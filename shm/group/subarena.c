/* Claims, opens and retires the sub-arenas of subarena.h. */
#include "shm/group/subarena.h"

#include <stdlib.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/death/terminations.h"
#include "shm/group/cell.h"

/* ---- our own part ---- */

/* Of a member's staging, or of the block in its place. */
static uint64_t bytes_of(const mst_geometry *geometry, const mst_member *member)
{
    return member->block_bytes ? member->block_bytes : geometry->staging_bytes;
}

static muster_status claim(mst_attachment *attachment, mst_member *member)
{
    mst_member claimed = { .seat = attachment->seat, .block_bytes = member->block_bytes };

    mst_subarenas_reclaim(attachment);
    muster_status status = mst_cell_claim(attachment, &claimed.cell, &claimed.membership);
    if (status != MUSTER_OK)
        return status;
    if (member->block_bytes)
        status = mst_heap_claim(&attachment->heap, member->block_bytes, &claimed.staging_offset);
    if (status != MUSTER_OK) {
        mst_cell_free(attachment, claimed.cell);
        return status;
    }
    mst_cell_init(mst_layout_cell(&attachment->geometry, attachment->seat, claimed.cell), claimed.membership);
    *member = claimed;
    return MUSTER_OK;
}

muster_status mst_member_claim(mst_attachment *attachment, mst_member *member)
{
    member->block_bytes = 0;
    return claim(attachment, member);
}

/* A small block may come from the heap's cache, with old bytes in it; others are zeros from the system. */
muster_status mst_member_claim_block(mst_attachment *attachment, mst_member *member)
{
    muster_status status = claim(attachment, member);

    if (status == MUSTER_OK && member->block_bytes <= MST_HEAP_CACHE_BLOCK_BYTES_MAX)
        memset(mst_layout_at(&attachment->geometry, member->seat, member->staging_offset), 0,
               member->block_bytes);
    return status;
}

muster_status mst_member_claim_staging(mst_attachment *attachment, mst_member *member)
{
    mst_cell *cell = mst_layout_cell(&attachment->geometry, attachment->seat, member->cell);

    muster_status status =
        mst_heap_claim(&attachment->heap, attachment->geometry.staging_bytes, &member->staging_offset);
    if (status == MUSTER_OK)
        cell->staging_offset = member->staging_offset;
    else
        mst_member_release(attachment, member);
    return status;
}

static void release_memory(mst_attachment *attachment, const mst_member *member)
{
    if (member->staging_offset)
        mst_heap_release(&attachment->heap, member->staging_offset, bytes_of(&attachment->geometry, member));
}

void mst_member_release(mst_attachment *attachment, const mst_member *member)
{
    mst_cell_leave(attachment, member->cell, member->membership);
    release_memory(attachment, member);
    mst_cell_free(attachment, member->cell);
}

/* The memory stays claimed: a peer for which the group was made may read it at any time. Failures of split
 * and subset poison the parent, so those come at most once per group; a shrink or grow that has timed out may
 * be tried again, and each attempt costs its part, until the rank ends. */
void mst_member_abandon(mst_attachment *attachment, const mst_member *member)
{
    mst_cell_leave(attachment, member->cell, member->membership);
}

/* ---- all members' parts ---- */

static void destroy(mst_subarena *subarena)
{
    free(subarena->members);
    free(subarena->cells);
    free(subarena->no_poison);
    free(subarena->slots);
    free(subarena->staging);
    free(subarena->blocks);
    free(subarena);
}

static mst_subarena *allocate(int size)
{
    mst_subarena *subarena = calloc(1, sizeof *subarena);

    if (!subarena)
        return NULL;
    subarena->members = calloc((size_t)size, sizeof *subarena->members);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers to cells */
    subarena->cells = calloc((size_t)size, sizeof *subarena->cells);
    subarena->no_poison = calloc((size_t)size, sizeof *subarena->no_poison);
    subarena->slots = calloc((size_t)size, sizeof *subarena->slots);
    subarena->staging = calloc((size_t)size, sizeof *subarena->staging);
    if (subarena->members && subarena->cells && subarena->no_poison && subarena->slots && subarena->staging)
        return subarena;
    destroy(subarena);
    return NULL;
}

bool mst_member_has_room(const mst_geometry *geometry, const mst_member *member)
{
    return member->staging_offset % MST_EXTENT_UNIT == 0 &&
           mst_layout_heap_at(geometry, member->seat, member->staging_offset, bytes_of(geometry, member));
}

static muster_status check_member(const mst_geometry *geometry, const mst_member *member)
{
    if (member->seat < geometry->seats && member->cell < MST_CELLS_MAX && (member->membership & 1) &&
        ((member->staging_offset == 0 && member->block_bytes == 0) || mst_member_has_room(geometry, member)))
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_BAD_ARENA,
                    "seat %u of the arena claims cell %u and memory at %llu, which are not in its region: "
                    "the arena is damaged",
                    member->seat, member->cell, (unsigned long long)member->staging_offset);
}

/* For muster inspect: identifies the cell's group by rank 0's part, which no other group ever has. */
static void identify(const mst_subarena *subarena)
{
    mst_cell *cell = subarena->cells[subarena->rank];

    memset(cell->activities, 0, sizeof cell->activities);
    memset(cell->members, 0, sizeof cell->members);
    memset(cell->awaits, 0, sizeof cell->awaits);
    cell->group = mst_subarena_number(subarena);
    cell->group_rank = (uint32_t)subarena->rank;
    cell->group_size = (uint32_t)subarena->size;
}

muster_status mst_subarena_open(mst_attachment *attachment, const mst_member *members, int rank, int size,
                                mst_subarena **opened)
{
    const mst_geometry *geometry = &attachment->geometry;

    for (int r = 0; r < size; r++) {
        muster_status status = check_member(geometry, &members[r]);
        if (status != MUSTER_OK)
            return status;
    }
    mst_subarena *subarena = allocate(size);
    if (!subarena)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %d", size);
    subarena->attachment = attachment;
    subarena->rank = rank;
    subarena->size = size;
    subarena->own = members[rank];
    subarena->staged = true;
    for (int r = 0; r < size; r++) {
        subarena->members[r] = members[r];
        subarena->cells[r] = mst_layout_cell(geometry, members[r].seat, members[r].cell);
        subarena->no_poison[r] = mst_poison_none(members[r].membership);
        subarena->slots[r] = mst_layout_slots(geometry, members[r].seat, members[r].cell);
        subarena->staging[r] = mst_layout_at(geometry, members[r].seat, members[r].staging_offset);
        subarena->staged = subarena->staged && members[r].staging_offset != 0;
    }
    identify(subarena);
    mst_attachment_hold(attachment);
    pthread_mutex_lock(&attachment->lock);
    for (int r = 0; r < size; r++)
        mst_attachment_meet(attachment, members[r].seat);
    subarena->next = attachment->open;
    attachment->open = subarena;
    pthread_mutex_unlock(&attachment->lock);
    *opened = subarena;
    return MUSTER_OK;
}

bool mst_subarena_has_member(const mst_subarena *subarena, int rank)
{
    /* E10: any other value means left, also that of a later group in the same cell */
    return mst_load64_acq(&subarena->cells[rank]->membership) == subarena->members[rank].membership;
}

bool mst_subarena_is_broken(const mst_subarena *subarena)
{
    const mst_cell *cell = subarena->cells[subarena->rank];

    return mst_load64_acq(&cell->poison) != subarena->no_poison[subarena->rank]; /* E7 */
}

void mst_subarena_keep_freed(mst_subarena *subarena)
{
    _Atomic uint32_t *kept = subarena->attachment->kept;

    if (!kept || mst_load32_sc(&subarena->keeps))
        return;
    mst_add32_sc(kept, 1); /* first: another thread, which finds the mark, gives buffers back */
    if (mst_cmpxchg32_sc(&subarena->keeps, 0, 1) != 0)
        mst_add32_sc(kept, (uint32_t)-1);
}

/* ---- terminations ---- */

/* The member whose termination was recorded first; -1: no member has ended without leaving. */
static int first_to_end(const mst_subarena *subarena)
{
    const mst_geometry *geometry = &subarena->attachment->geometry;
    int first = -1;

    for (int rank = 0; rank < subarena->size; rank++) {
        uint32_t seat = subarena->members[rank].seat;

        if (rank == subarena->rank || mst_termination_of(geometry, seat).kind == MUSTER_TERMINATION_NONE ||
            !mst_subarena_has_member(subarena, rank))
            continue;
        if (first < 0 || mst_termination_precedes(geometry, seat, subarena->members[first].seat))
            first = rank;
    }
    return first;
}

/* A rank that ended because of another rank's death must not be named as the cause. The second look sees
 * every termination that was recorded before one that the first look saw. */
bool mst_subarena_look_at_terminations(const mst_subarena *subarena)
{
    if (first_to_end(subarena) < 0)
        return false;
    int rank = first_to_end(subarena);
    if (rank < 0) /* it had left before it ended */
        return false;
    muster_termination termination =
        mst_termination_of(&subarena->attachment->geometry, subarena->members[rank].seat);
    mst_poison poison = { mst_poison_of_termination(termination), rank, termination.code };
    mst_poison_spread(subarena->cells, subarena->no_poison, subarena->size, &poison);
    return true;
}

void mst_subarenas_look_at_terminations(mst_attachment *attachment)
{
    pthread_mutex_lock(&attachment->lock);
    for (const mst_subarena *subarena = attachment->left ? NULL : attachment->open; subarena;
         subarena = subarena->next)
        if (mst_subarena_look_at_terminations(subarena)) /* a rank in shrink waits in a broken group */
            mst_eventcount_advance(&subarena->cells[subarena->rank]->doorbell);
    if (mst_load32_acq(&attachment->waits.progress.has_besides)) /* E43: other hosts are to be told */
        mst_progress_thread_ring(&attachment->waits.progress);
    pthread_mutex_unlock(&attachment->lock);
}

/* ---- freeing ---- */

static bool all_peers_gone(const mst_subarena *subarena)
{
    for (int r = 0; r < subarena->size; r++) {
        mst_liveness *liveness = &subarena->attachment->liveness;
        uint32_t seat = subarena->members[r].seat;

        if (r == subarena->rank)
            continue;
        if (mst_subarena_has_member(subarena, r) ? !mst_liveness_is_gone(liveness, seat)
                                                 : mst_liveness_may_write_yet(liveness, seat))
            return false;
    }
    return true;
}

static void reclaim_one(mst_subarena *subarena)
{
    mst_attachment *attachment = subarena->attachment;

    for (size_t i = 0; i < subarena->block_count; i++)
        mst_heap_release(&attachment->heap, subarena->blocks[i].offset, subarena->blocks[i].bytes);
    release_memory(attachment, &subarena->own);
    mst_cell_free(attachment, subarena->own.cell);
    if (mst_load32_rlx(&subarena->keeps))
        mst_add32_sc(attachment->kept, (uint32_t)-1);
    destroy(subarena);
}

void mst_subarenas_reclaim(mst_attachment *attachment)
{
    mst_subarena *ready = NULL;

    pthread_mutex_lock(&attachment->lock);
    for (mst_subarena **link = &attachment->retired; *link;) {
        mst_subarena *subarena = *link;

        if (!all_peers_gone(subarena)) {
            link = &subarena->next;
            continue;
        }
        *link = subarena->next;
        subarena->next = ready;
        ready = subarena;
    }
    pthread_mutex_unlock(&attachment->lock);
    while (ready) {
        mst_subarena *next = ready->next;

        reclaim_one(ready);
        ready = next;
    }
}

static void take_off_list(mst_subarena **link, const mst_subarena *subarena)
{
    while (*link != subarena)
        link = &(*link)->next;
    *link = subarena->next;
}

/* The sub-arena leaves the list of open ones before we announce that we have left: after that peers reuse
 * their memory, and the watching thread, which holds the lock, poisons what is on the list. */
void mst_subarena_retire(mst_subarena *subarena)
{
    mst_attachment *attachment = subarena->attachment;

    pthread_mutex_lock(&attachment->lock);
    take_off_list(&attachment->open, subarena);
    mst_cell_leave(attachment, subarena->own.cell, subarena->own.membership);
    for (int r = 0; r < subarena->size; r++)
        mst_attachment_part(attachment, subarena->members[r].seat);
    mst_attachment_release_dead(attachment);
    subarena->next = attachment->retired;
    attachment->retired = subarena;
    pthread_mutex_unlock(&attachment->lock);
    mst_subarenas_reclaim(attachment);
    mst_subarena_drop_attachment(attachment);
}

void mst_subarena_drop_attachment(mst_attachment *attachment)
{
    if (!mst_attachment_drop(attachment))
        return;
    while (attachment->retired) { /* peers may still read them: the memory is released with the arena */
        mst_subarena *next = attachment->retired->next;

        destroy(attachment->retired);
        attachment->retired = next;
    }
    mst_attachment_destroy(attachment);
}
