/* Publishes waits, and searches for, proves and reports wait cycles, as deadlock.h describes. */
#include "shm/death/deadlock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "shm/port/os.h"

#define NOBODY UINT32_MAX
#define CHECKS_AS_PROOF 2
#define CLAIMED (1ULL << 63) /* flag of a verdict: its text is being written */

bool mst_deadlock_init(mst_deadlock *deadlock, const mst_geometry *geometry, uint32_t self)
{
    *deadlock = (mst_deadlock){ .geometry = *geometry,
                                .self = self,
                                .cycle = calloc(geometry->seats, sizeof *deadlock->cycle),
                                .seen_from = calloc(geometry->seats, sizeof *deadlock->seen_from) };
    if (deadlock->cycle && deadlock->seen_from)
        return true;
    mst_deadlock_destroy(deadlock);
    return false;
}

void mst_deadlock_destroy(mst_deadlock *deadlock)
{
    free(deadlock->cycle);
    free(deadlock->seen_from);
}

static mst_rank_entry *entry_of(const mst_deadlock *deadlock, uint32_t seat)
{
    return mst_layout_entry(&deadlock->geometry, seat);
}

/* ---- our own wait ---- */

void mst_deadlock_waiting(mst_deadlock *deadlock, const uint32_t awaited[2], const char *doing)
{
    mst_rank_entry *entry = entry_of(deadlock, deadlock->self);

    if (mst_load32_rlx(&deadlock->published)) {
        mst_add32_sc(&entry->checks, 1); /* E13: `ready` was false just now */
        return;
    }
    if (!deadlock->promised && mst_os_thread_count() != deadlock->own_threads + 1)
        return;
    for (int i = 0; i < 2; i++)
        mst_store32_rlx(&entry->awaited[i], awaited[i] < MST_RANKS_MAX ? awaited[i] + 1 : 0);
    snprintf(entry->doing, sizeof entry->doing, "%s", doing);
    mst_fault_point("wait.publish");
    mst_store64_rel(&entry->wait_epoch, 2 * ++deadlock->waits + 1); /* E13 */
    mst_store32_rlx(&deadlock->published, 1);
    deadlock->cycle_size = 0;
}

void mst_deadlock_over(mst_deadlock *deadlock)
{
    if (!mst_load32_rlx(&deadlock->published))
        return;
    /* E13: before we do anything that others may be waiting for */
    mst_exchange64_sc(&entry_of(deadlock, deadlock->self)->wait_epoch, 2 * deadlock->waits + 2);
    mst_store32_rlx(&deadlock->published, 0);
}

/* ---- searching ---- */

/* The ranks that a waiting rank waits for, NOBODY where there is none; all of one wait. */
static void read_awaited(const mst_deadlock *deadlock, uint32_t seat, uint32_t awaited[2])
{
    const mst_rank_entry *entry = entry_of(deadlock, seat);
    uint64_t wait_epoch = mst_load64_acq(&entry->wait_epoch); /* E13 */

    for (int i = 0; i < 2; i++)
        awaited[i] = mst_load32_acq(&entry->awaited[i]) - 1;                           /* 0 becomes NOBODY */
    bool valid = (wait_epoch & 1) && mst_load64_acq(&entry->wait_epoch) == wait_epoch; /* E13 */
    for (int i = 0; i < 2; i++)
        if (!valid || awaited[i] >= deadlock->geometry.seats)
            awaited[i] = NOBODY;
}

/* Searches breadth first from ourselves along the published waits; whether a path leads back, and by which
 * last rank. */
static bool leads_back(mst_deadlock *deadlock, uint32_t *last)
{
    uint32_t seats = deadlock->geometry.seats, queue[MST_RANKS_MAX], count = 0, awaited[2];

    for (uint32_t seat = 0; seat < seats; seat++)
        deadlock->seen_from[seat] = NOBODY;
    queue[count++] = deadlock->self;
    for (uint32_t at = 0; at < count; at++) {
        read_awaited(deadlock, queue[at], awaited);
        for (int i = 0; i < 2; i++) {
            if (awaited[i] == deadlock->self) {
                *last = queue[at];
                return true;
            }
            if (awaited[i] == NOBODY || deadlock->seen_from[awaited[i]] != NOBODY)
                continue;
            deadlock->seen_from[awaited[i]] = queue[at];
            queue[count++] = awaited[i];
        }
    }
    return false;
}

static uint64_t wait_epoch_of(const mst_deadlock *deadlock, uint32_t seat)
{
    return mst_load64_acq(&entry_of(deadlock, seat)->wait_epoch); /* E13 */
}

static uint32_t checks_of(const mst_deadlock *deadlock, uint32_t seat)
{
    return mst_load32_acq(&entry_of(deadlock, seat)->checks); /* E13 */
}

/* Records the members, from ourselves on in the order in which they wait for each other. All wait epochs are
 * read before any count of checks, so any check counted later happens while all of them wait. */
static void suspect(mst_deadlock *deadlock, uint32_t last)
{
    mst_deadlock_member *cycle = deadlock->cycle;
    uint32_t size = 1, at;

    for (uint32_t seat = last; seat != deadlock->self; seat = deadlock->seen_from[seat])
        size++;
    at = deadlock->cycle_size = size;
    for (uint32_t seat = last; seat != deadlock->self; seat = deadlock->seen_from[seat])
        cycle[--at].seat = seat;
    cycle[0].seat = deadlock->self;
    for (uint32_t i = 0; i < size; i++)
        cycle[i].wait_epoch = wait_epoch_of(deadlock, cycle[i].seat);
    for (uint32_t i = 0; i < size; i++)
        cycle[i].checks = checks_of(deadlock, cycle[i].seat);
}

/* ---- proving ---- */

/* Whether the rank still waits for the next member: its numbers may have been recorded after a change. */
static bool waits_for(const mst_deadlock *deadlock, uint32_t seat, uint32_t next)
{
    uint32_t awaited[2];

    read_awaited(deadlock, seat, awaited);
    return awaited[0] == next || awaited[1] == next;
}

typedef enum proof { NOT_YET, PROVEN, REFUTED } proof;

static proof examine(const mst_deadlock *deadlock)
{
    proof result = PROVEN;

    for (uint32_t i = 0; i < deadlock->cycle_size; i++) {
        const mst_deadlock_member *then = &deadlock->cycle[i];
        uint32_t next = deadlock->cycle[(i + 1) % deadlock->cycle_size].seat;

        if (checks_of(deadlock, then->seat) - then->checks < CHECKS_AS_PROOF)
            result = NOT_YET;
        if (!waits_for(deadlock, then->seat, next) || !(then->wait_epoch & 1))
            return REFUTED;
    }
    for (uint32_t i = 0; i < deadlock->cycle_size; i++) /* all wait epochs after all counts of checks */
        if (wait_epoch_of(deadlock, deadlock->cycle[i].seat) != deadlock->cycle[i].wait_epoch)
            return REFUTED;
    return result;
}

/* ---- reporting ---- */

static void spell_out(const mst_deadlock *deadlock, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "deadlock among ranks of the world: ");

    for (uint32_t i = 0; i < deadlock->cycle_size && used < bytes; i++) {
        const mst_rank_entry *entry = entry_of(deadlock, deadlock->cycle[i].seat);
        uint32_t next = deadlock->cycle[(i + 1) % deadlock->cycle_size].seat;
        char doing[MST_DOING_BYTES + 1] = "";

        memcpy(doing, entry->doing, MST_DOING_BYTES); /* its writer is waiting: E13 */
        used += (size_t)snprintf(text + used, bytes - used, "%s%u in %s waits for ", i ? "; " : "",
                                 entry->rank, doing);
        if (used < bytes)
            used += (size_t)snprintf(text + used, bytes - used, "%u", entry_of(deadlock, next)->rank);
    }
    if (used >= bytes) /* not enough room to name them all */
        memcpy(text + bytes - 4, "...", 4);
}

/* The first to claim a member's verdict writes it; the others would write the same cycle from another
 * start. */
static void tell(const mst_deadlock *deadlock, const mst_deadlock_member *member, const char *text)
{
    mst_rank_entry *entry = entry_of(deadlock, member->seat);
    uint64_t earlier = mst_load64_acq(&entry->verdict); /* E14 */

    if ((earlier & ~CLAIMED) == member->wait_epoch ||
        mst_cmpxchg64_sc(&entry->verdict, earlier, member->wait_epoch | CLAIMED) != earlier) /* E14 */
        return;
    mst_fault_point("verdict.claimed");
    snprintf(entry->cycle, sizeof entry->cycle, "%s", text);
    /* Fails if we were so late that another cycle has been claimed meanwhile. */
    mst_cmpxchg64_sc(&entry->verdict, member->wait_epoch | CLAIMED, member->wait_epoch); /* E14 */
    mst_fault_point("verdict.told");
}

static bool was_told(const mst_deadlock *deadlock, char *text, size_t bytes)
{
    const mst_rank_entry *entry = entry_of(deadlock, deadlock->self);
    char cycle[sizeof entry->cycle + 1] = "";

    if (mst_load64_acq(&entry->verdict) != 2 * deadlock->waits + 1) /* E14 */
        return false;
    memcpy(cycle, entry->cycle, sizeof entry->cycle);
    snprintf(text, bytes, "%s", cycle);
    return true;
}

bool mst_deadlock_found(mst_deadlock *deadlock, char *text, size_t bytes)
{
    uint32_t last;

    if (!mst_load32_rlx(&deadlock->published))
        return false;
    if (was_told(deadlock, text, bytes))
        return true;
    proof result = deadlock->cycle_size ? examine(deadlock) : REFUTED;
    if (result == REFUTED) {
        deadlock->cycle_size = 0;
        if (leads_back(deadlock, &last))
            suspect(deadlock, last);
    }
    if (result != PROVEN)
        return false;
    spell_out(deadlock, text, bytes);
    for (uint32_t i = 1; i < deadlock->cycle_size; i++)
        tell(deadlock, &deadlock->cycle[i], text);
    return true;
}
