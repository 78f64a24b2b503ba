/* Publishes waits, proves wait cycles that the graph seems to have, and reports them, as deadlock.h
 * describes. */
#include "shm/death/deadlock.h"

#include <stdio.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "shm/port/os.h"

#define CHECKS_AS_PROOF 2
#define CLAIMED (1ULL << 63) /* flag of a verdict: its text is being written */

bool mst_deadlock_init(mst_deadlock *deadlock, const mst_geometry *geometry, uint32_t self)
{
    *deadlock = (mst_deadlock){ 0 };
    pthread_mutex_init(&deadlock->lock, NULL);
    if (mst_wait_graph_init(&deadlock->graph, geometry, self))
        return true;
    pthread_mutex_destroy(&deadlock->lock);
    return false;
}

void mst_deadlock_destroy(mst_deadlock *deadlock)
{
    pthread_mutex_destroy(&deadlock->lock);
    mst_wait_graph_destroy(&deadlock->graph);
}

static mst_rank_entry *entry_of(const mst_deadlock *deadlock, uint32_t seat)
{
    return mst_layout_entry(&deadlock->graph.geometry, seat);
}

/* ---- our own wait ---- */

/* With the lock. */
static void withdraw(mst_deadlock *deadlock)
{
    if (!mst_load32_rlx(&deadlock->published))
        return;
    /* E13: before we do anything that others may be waiting for */
    mst_exchange64_sc(&entry_of(deadlock, deadlock->graph.self)->wait_epoch, 2 * deadlock->waits + 2);
    mst_exchange32_sc(&deadlock->published, 0);
}

/* With the lock. */
static void publish(mst_deadlock *deadlock, const uint32_t awaited[2], const mst_seats *any_of,
                    const char *doing)
{
    mst_rank_entry *entry = entry_of(deadlock, deadlock->graph.self);

    for (int i = 0; i < 2; i++)
        mst_store32_rlx(&entry->awaited[i], awaited[i] < MST_RANKS_MAX ? awaited[i] + 1 : 0);
    mst_store32_rlx(&entry->awaits_any, any_of != NULL);
    for (int i = 0; any_of && i < MST_RANKS_MAX / 64; i++)
        mst_store64_rlx(&entry->any_of[i], any_of->bits[i]);
    memcpy(deadlock->awaited, awaited, sizeof deadlock->awaited);
    deadlock->any_of = any_of ? *any_of : (mst_seats){ 0 };
    snprintf(entry->doing, sizeof entry->doing, "%s", doing);
    mst_fault_point("wait.publish");
    mst_store64_rel(&entry->wait_epoch, 2 * ++deadlock->waits + 1); /* E13 */
    mst_exchange32_sc(&deadlock->published, 1);
    deadlock->graph.cycle_size = 0;
}

/* Whether that is what others read of this rank. */
static bool is_published(const mst_deadlock *deadlock, const uint32_t awaited[2], const mst_seats *any_of)
{
    return mst_load32_rlx(&deadlock->published) &&
           !memcmp(awaited, deadlock->awaited, sizeof deadlock->awaited) &&
           !memcmp(any_of, &deadlock->any_of, sizeof *any_of);
}

static int own_threads(const mst_deadlock *deadlock)
{
    return (int)mst_load32_rlx(&deadlock->own_threads);
}

/* Whether no other thread calls muster for the rank. */
static bool is_single(const mst_deadlock *deadlock)
{
    return deadlock->promised || mst_os_thread_count() == own_threads(deadlock) + 1;
}

/* Whether only this thread can act for the rank; *digest: of the others, which changes when one of them runs.
 */
static bool is_alone(const mst_deadlock *deadlock, uint64_t *digest)
{
    *digest = 0;
    return is_single(deadlock) || mst_os_threads_are_stuck(own_threads(deadlock), digest);
}

/* Others that were stuck may have been woken meanwhile, by the program's interrupt function or by a thread of
 * the library, and may sleep again. */
static void check_again(mst_deadlock *deadlock, bool due)
{
    uint64_t digest;

    if (!due && deadlock->digest != 0)
        return; /* a look at all threads takes some us for each, and waits may last for days */
    if (!is_alone(deadlock, &digest) || digest != deadlock->digest) {
        withdraw(deadlock);
        return;
    }
    mst_add32_sc(&entry_of(deadlock, deadlock->graph.self)->checks, 1); /* E13: `ready` was false just now */
}

void mst_deadlock_waiting(mst_deadlock *deadlock, const uint32_t awaited[2], const mst_seats *any_of,
                          const char *doing, bool due)
{
    mst_seats seats = any_of ? *any_of : (mst_seats){ 0 };
    uint64_t digest;

    pthread_mutex_lock(&deadlock->lock);
    if (is_published(deadlock, awaited, &seats)) {
        check_again(deadlock, due);
    } else {
        /* what it waited for before a member left, or did its part of a started operation */
        withdraw(deadlock);
        if (is_alone(deadlock, &digest)) {
            deadlock->digest = digest;
            publish(deadlock, awaited, any_of, doing);
        }
    }
    pthread_mutex_unlock(&deadlock->lock);
}

/* A thread that has moved something and finds nothing published has moved it before the wait was. */
void mst_deadlock_over(mst_deadlock *deadlock)
{
    if (!mst_load32_sc(&deadlock->published))
        return;
    pthread_mutex_lock(&deadlock->lock);
    withdraw(deadlock);
    pthread_mutex_unlock(&deadlock->lock);
}

/* ---- proving ---- */

static uint64_t wait_epoch_of(const mst_deadlock *deadlock, uint32_t seat)
{
    return mst_load64_acq(&entry_of(deadlock, seat)->wait_epoch); /* E13 */
}

static uint32_t checks_of(const mst_deadlock *deadlock, uint32_t seat)
{
    return mst_load32_acq(&entry_of(deadlock, seat)->checks); /* E13 */
}

/* All wait epochs are read before any count of checks, so any check counted later happens while all of the
 * members wait. */
static void suspect(mst_deadlock *deadlock)
{
    mst_wait_member *cycle = deadlock->graph.cycle;
    uint32_t size = deadlock->graph.cycle_size;

    for (uint32_t i = 0; i < size; i++)
        cycle[i].wait_epoch = wait_epoch_of(deadlock, cycle[i].seat);
    for (uint32_t i = 0; i < size; i++)
        cycle[i].checks = checks_of(deadlock, cycle[i].seat);
}

typedef enum proof { NOT_YET, PROVEN, REFUTED } proof;

/* Whether each of the members still waits, in the same wait, and cannot go on because of other members: the
 * numbers may have been recorded after a change. */
static proof examine(mst_deadlock *deadlock)
{
    proof result = PROVEN;

    for (uint32_t seat = 0; seat < deadlock->graph.geometry.seats; seat++)
        deadlock->graph.stuck[seat] = false;
    for (uint32_t i = 0; i < deadlock->graph.cycle_size; i++)
        deadlock->graph.stuck[deadlock->graph.cycle[i].seat] = true;
    for (uint32_t i = 0; i < deadlock->graph.cycle_size; i++) {
        const mst_wait_member *then = &deadlock->graph.cycle[i];
        mst_wait_copy wait = mst_wait_graph_read(&deadlock->graph, then->seat);

        if (checks_of(deadlock, then->seat) - then->checks < CHECKS_AS_PROOF)
            result = NOT_YET;
        if (!(then->wait_epoch & 1) || !mst_wait_graph_cannot_end(&deadlock->graph, &wait))
            return REFUTED;
    }
    for (uint32_t i = 0; i < deadlock->graph.cycle_size; i++) /* all wait epochs after all counts of checks */
        if (wait_epoch_of(deadlock, deadlock->graph.cycle[i].seat) != deadlock->graph.cycle[i].wait_epoch)
            return REFUTED;
    return result;
}

/* ---- reporting ---- */

/* Because of whom a stuck rank cannot go on. */
static bool depends_on(const mst_deadlock *deadlock, const mst_wait_copy *wait, uint32_t seat)
{
    return deadlock->graph.stuck[seat] &&
           (wait->awaited[0] == seat || wait->awaited[1] == seat || mst_wait_is_for_one_of(wait, seat));
}

/* The next member, if the rank waits for it, as those of a cycle do; else one that it waits for. */
static uint32_t find_reason(const mst_deadlock *deadlock, const mst_wait_copy *wait, uint32_t next)
{
    if (depends_on(deadlock, wait, next))
        return next;
    for (int i = 0; i < 2; i++)
        if (wait->awaited[i] != MST_NOBODY && deadlock->graph.stuck[wait->awaited[i]])
            return wait->awaited[i];
    return MST_NOBODY;
}

static void spell_out(const mst_deadlock *deadlock, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "deadlock among ranks of the world: ");

    for (uint32_t i = 0; i < deadlock->graph.cycle_size && used < bytes; i++) {
        const mst_rank_entry *entry = entry_of(deadlock, deadlock->graph.cycle[i].seat);
        mst_wait_copy wait = mst_wait_graph_read(&deadlock->graph, deadlock->graph.cycle[i].seat);
        uint32_t next = deadlock->graph.cycle[(i + 1) % deadlock->graph.cycle_size].seat;
        uint32_t reason = wait.awaits_any && mst_wait_is_for_one_of(&wait, next)
                              ? MST_NOBODY
                              : find_reason(deadlock, &wait, next);
        char doing[MST_DOING_BYTES + 1] = "", whom[16] = "any rank";

        if (reason != MST_NOBODY)
            snprintf(whom, sizeof whom, "%u", entry_of(deadlock, reason)->rank);
        memcpy(doing, entry->doing, MST_DOING_BYTES); /* its writer is waiting: E13 */
        used += (size_t)snprintf(text + used, bytes - used, "%s%u in %s waits for %s", i ? "; " : "",
                                 entry->rank, doing, whom);
    }
    if (used >= bytes) /* not enough room to name them all */
        memcpy(text + bytes - 4, "...", 4);
}

/* The first to claim a member's verdict writes it; the others would write the same cycle from another
 * start. */
static void tell(const mst_deadlock *deadlock, const mst_wait_member *member, const char *text)
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

static void copy_cycle(const mst_rank_entry *entry, char *text, size_t bytes)
{
    char cycle[sizeof entry->cycle + 1] = "";

    memcpy(cycle, entry->cycle, sizeof entry->cycle);
    snprintf(text, bytes, "%s", cycle);
}

static bool was_told(const mst_deadlock *deadlock, char *text, size_t bytes)
{
    const mst_rank_entry *entry = entry_of(deadlock, deadlock->graph.self);

    if (mst_load64_acq(&entry->verdict) != 2 * deadlock->waits + 1) /* E14 */
        return false;
    copy_cycle(entry, text, bytes);
    return true;
}

/* The verdict may be on a wait before the latest one: as members leave, others wake up and wait again. */
bool mst_deadlock_told(const mst_deadlock *deadlock, uint64_t earlier, char *text, size_t bytes)
{
    const mst_rank_entry *entry = entry_of(deadlock, deadlock->graph.self);
    uint64_t verdict = mst_load64_acq(&entry->verdict); /* E14 */

    if ((verdict & ~CLAIMED) <= 2 * earlier + 1)
        return false;
    if (verdict & CLAIMED) /* and who claimed it may have ended */
        snprintf(text, bytes, "deadlock among ranks of the world: %u in %.*s is one of them", entry->rank,
                 (int)sizeof entry->doing, entry->doing);
    else
        copy_cycle(entry, text, bytes);
    return true;
}

bool mst_deadlock_found(mst_deadlock *deadlock, char *text, size_t bytes)
{
    if (!mst_load32_rlx(&deadlock->published))
        return false;
    if (was_told(deadlock, text, bytes))
        return true;
    proof result = deadlock->graph.cycle_size ? examine(deadlock) : REFUTED;
    if (result == REFUTED) {
        deadlock->graph.cycle_size = 0;
        if (mst_wait_graph_search(&deadlock->graph))
            suspect(deadlock);
    }
    if (result != PROVEN)
        return false;
    spell_out(deadlock, text, bytes);
    for (uint32_t i = 1; i < deadlock->graph.cycle_size; i++)
        tell(deadlock, &deadlock->graph.cycle[i], text);
    return true;
}
