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
                                .seen_from = calloc(geometry->seats, sizeof *deadlock->seen_from),
                                .stuck = calloc(geometry->seats, sizeof *deadlock->stuck) };
    pthread_mutex_init(&deadlock->lock, NULL);
    if (deadlock->cycle && deadlock->seen_from && deadlock->stuck)
        return true;
    mst_deadlock_destroy(deadlock);
    return false;
}

void mst_deadlock_destroy(mst_deadlock *deadlock)
{
    pthread_mutex_destroy(&deadlock->lock);
    free(deadlock->cycle);
    free(deadlock->seen_from);
    free(deadlock->stuck);
}

static mst_rank_entry *entry_of(const mst_deadlock *deadlock, uint32_t seat)
{
    return mst_layout_entry(&deadlock->geometry, seat);
}

/* ---- our own wait ---- */

/* With the lock. */
static void withdraw(mst_deadlock *deadlock)
{
    if (!mst_load32_rlx(&deadlock->published))
        return;
    /* E13: before we do anything that others may be waiting for */
    mst_exchange64_sc(&entry_of(deadlock, deadlock->self)->wait_epoch, 2 * deadlock->waits + 2);
    mst_exchange32_sc(&deadlock->published, 0);
}

/* With the lock. */
static void publish(mst_deadlock *deadlock, const uint32_t awaited[2], const mst_seats *any_of,
                    const char *doing)
{
    mst_rank_entry *entry = entry_of(deadlock, deadlock->self);

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
    deadlock->cycle_size = 0;
}

/* Whether that is what others read of this rank. */
static bool is_published(const mst_deadlock *deadlock, const uint32_t awaited[2], const mst_seats *any_of)
{
    return mst_load32_rlx(&deadlock->published) &&
           !memcmp(awaited, deadlock->awaited, sizeof deadlock->awaited) &&
           !memcmp(any_of, &deadlock->any_of, sizeof *any_of);
}

void mst_deadlock_waiting(mst_deadlock *deadlock, const uint32_t awaited[2], const mst_seats *any_of,
                          const char *doing)
{
    mst_seats seats = any_of ? *any_of : (mst_seats){ 0 };

    pthread_mutex_lock(&deadlock->lock);
    if (is_published(deadlock, awaited, &seats)) {
        mst_add32_sc(&entry_of(deadlock, deadlock->self)->checks, 1); /* E13: `ready` was false just now */
    } else {
        withdraw(
            deadlock); /* what it waited for before a member left, or did its part of a started operation */
        if (deadlock->promised || mst_os_thread_count() == (int)mst_load32_rlx(&deadlock->own_threads) + 1)
            publish(deadlock, awaited, any_of, doing);
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

/* ---- searching ---- */

/* What a rank waits for; all of one wait. */
typedef struct wait_copy {
    bool waits;
    bool awaits_any;
    uint32_t awaited[2]; /* NOBODY where there is none */
    mst_seats any_of;
} wait_copy;

static wait_copy read_wait(const mst_deadlock *deadlock, uint32_t seat)
{
    const mst_rank_entry *entry = entry_of(deadlock, seat);
    uint64_t wait_epoch = mst_load64_acq(&entry->wait_epoch); /* E13 */
    wait_copy copy = { .awaits_any = mst_load32_acq(&entry->awaits_any) != 0 };

    for (int i = 0; i < 2; i++) {
        copy.awaited[i] = mst_load32_acq(&entry->awaited[i]) - 1; /* 0 becomes NOBODY */
        if (copy.awaited[i] >= deadlock->geometry.seats)
            copy.awaited[i] = NOBODY;
    }
    for (int i = 0; copy.awaits_any && i < MST_RANKS_MAX / 64; i++)
        copy.any_of.bits[i] = mst_load64_acq(&entry->any_of[i]);
    copy.waits = (wait_epoch & 1) && mst_load64_acq(&entry->wait_epoch) == wait_epoch; /* E13 */
    return copy;
}

static bool is_one_of(const wait_copy *wait, uint32_t seat)
{
    return wait->awaits_any && (wait->any_of.bits[seat / 64] >> seat % 64 & 1);
}

/* Whether the wait cannot end while those that are stuck do not act. */
static bool cannot_end(const mst_deadlock *deadlock, const wait_copy *wait)
{
    for (int i = 0; wait->waits && i < 2; i++)
        if (wait->awaited[i] != NOBODY && deadlock->stuck[wait->awaited[i]])
            return true;
    if (!wait->waits || !wait->awaits_any)
        return false;
    bool any = false;
    for (uint32_t seat = 0; seat < deadlock->geometry.seats; seat++) {
        if (is_one_of(wait, seat) && !deadlock->stuck[seat])
            return false;
        any = any || is_one_of(wait, seat);
    }
    return any;
}

/* At first all who wait are taken to be stuck. */
static void take_waiting_for_stuck(mst_deadlock *deadlock)
{
    for (uint32_t seat = 0; seat < deadlock->geometry.seats; seat++)
        deadlock->stuck[seat] = mst_load64_acq(&entry_of(deadlock, seat)->wait_epoch) & 1; /* E13 */
}

/* Until no more of them are found not to be. Only where somebody waits for a set: it takes long. */
static void find_stuck(mst_deadlock *deadlock)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t seat = 0; seat < deadlock->geometry.seats; seat++) {
            if (!deadlock->stuck[seat])
                continue;
            wait_copy wait = read_wait(deadlock, seat);
            deadlock->stuck[seat] = cannot_end(deadlock, &wait);
            changed = changed || !deadlock->stuck[seat];
        }
    }
}

/* Because of whom a stuck rank cannot go on. */
static bool depends_on(const mst_deadlock *deadlock, const wait_copy *wait, uint32_t seat)
{
    return deadlock->stuck[seat] &&
           (wait->awaited[0] == seat || wait->awaited[1] == seat || is_one_of(wait, seat));
}

typedef struct search {
    uint32_t queue[MST_RANKS_MAX], count;
    uint32_t last; /* the rank by which a path leads back; NOBODY: none does */
    bool knot;     /* a rank on the way waits for a set */
} search;

static void reach(mst_deadlock *deadlock, search *search, uint32_t from, uint32_t seat)
{
    if (seat == NOBODY || !deadlock->stuck[seat])
        return;
    if (seat == deadlock->self) {
        if (search->last == NOBODY)
            search->last = from;
    } else if (deadlock->seen_from[seat] == NOBODY) {
        deadlock->seen_from[seat] = from;
        search->queue[search->count++] = seat;
    }
}

/* Searches breadth first from ourselves along the waits of stuck ranks; whether a path leads back. */
static bool leads_back(mst_deadlock *deadlock, search *search)
{
    uint32_t seats = deadlock->geometry.seats;

    search->queue[0] = deadlock->self;
    search->count = 1;
    search->last = NOBODY;
    search->knot = false;
    for (uint32_t seat = 0; seat < seats; seat++)
        deadlock->seen_from[seat] = NOBODY;
    for (uint32_t at = 0; at < search->count; at++) {
        uint32_t from = search->queue[at];
        wait_copy wait = read_wait(deadlock, from);

        if (!wait.waits)
            continue;
        reach(deadlock, search, from, wait.awaited[0]);
        reach(deadlock, search, from, wait.awaited[1]);
        search->knot = search->knot || wait.awaits_any;
        for (uint32_t seat = 0; wait.awaits_any && seat < seats; seat++)
            if (is_one_of(&wait, seat))
                reach(deadlock, search, from, seat);
    }
    return search->last != NOBODY;
}

static uint64_t wait_epoch_of(const mst_deadlock *deadlock, uint32_t seat)
{
    return mst_load64_acq(&entry_of(deadlock, seat)->wait_epoch); /* E13 */
}

static uint32_t checks_of(const mst_deadlock *deadlock, uint32_t seat)
{
    return mst_load32_acq(&entry_of(deadlock, seat)->checks); /* E13 */
}

/* The members of a cycle, from ourselves on in the order in which they wait for each other. */
static void list_cycle(mst_deadlock *deadlock, uint32_t last)
{
    mst_deadlock_member *cycle = deadlock->cycle;
    uint32_t size = 1, at;

    for (uint32_t seat = last; seat != deadlock->self; seat = deadlock->seen_from[seat])
        size++;
    at = deadlock->cycle_size = size;
    for (uint32_t seat = last; seat != deadlock->self; seat = deadlock->seen_from[seat])
        cycle[--at].seat = seat;
    cycle[0].seat = deadlock->self;
}

/* The members of a knot: all whom the search has reached. */
static void list_knot(mst_deadlock *deadlock)
{
    deadlock->cycle[0].seat = deadlock->self;
    deadlock->cycle_size = 1;
    for (uint32_t seat = 0; seat < deadlock->geometry.seats; seat++)
        if (deadlock->seen_from[seat] != NOBODY)
            deadlock->cycle[deadlock->cycle_size++].seat = seat;
}

/* All wait epochs are read before any count of checks, so any check counted later happens while all of the
 * members wait. */
static void suspect(mst_deadlock *deadlock)
{
    mst_deadlock_member *cycle = deadlock->cycle;
    uint32_t size = deadlock->cycle_size;

    for (uint32_t i = 0; i < size; i++)
        cycle[i].wait_epoch = wait_epoch_of(deadlock, cycle[i].seat);
    for (uint32_t i = 0; i < size; i++)
        cycle[i].checks = checks_of(deadlock, cycle[i].seat);
}

static bool look_for_members(mst_deadlock *deadlock)
{
    search search;

    take_waiting_for_stuck(deadlock);
    if (!leads_back(deadlock, &search))
        return false;
    if (!search.knot) {
        list_cycle(deadlock, search.last);
        return true;
    }
    find_stuck(deadlock);
    if (!deadlock->stuck[deadlock->self] || !leads_back(deadlock, &search))
        return false;
    list_knot(deadlock);
    return true;
}

/* ---- proving ---- */

typedef enum proof { NOT_YET, PROVEN, REFUTED } proof;

/* Whether each of the members still waits, in the same wait, and cannot go on because of other members: the
 * numbers may have been recorded after a change. */
static proof examine(mst_deadlock *deadlock)
{
    proof result = PROVEN;

    for (uint32_t seat = 0; seat < deadlock->geometry.seats; seat++)
        deadlock->stuck[seat] = false;
    for (uint32_t i = 0; i < deadlock->cycle_size; i++)
        deadlock->stuck[deadlock->cycle[i].seat] = true;
    for (uint32_t i = 0; i < deadlock->cycle_size; i++) {
        const mst_deadlock_member *then = &deadlock->cycle[i];
        wait_copy wait = read_wait(deadlock, then->seat);

        if (checks_of(deadlock, then->seat) - then->checks < CHECKS_AS_PROOF)
            result = NOT_YET;
        if (!(then->wait_epoch & 1) || !cannot_end(deadlock, &wait))
            return REFUTED;
    }
    for (uint32_t i = 0; i < deadlock->cycle_size; i++) /* all wait epochs after all counts of checks */
        if (wait_epoch_of(deadlock, deadlock->cycle[i].seat) != deadlock->cycle[i].wait_epoch)
            return REFUTED;
    return result;
}

/* ---- reporting ---- */

/* The next member, if the rank waits for it, as those of a cycle do; else one that it waits for. */
static uint32_t find_reason(const mst_deadlock *deadlock, const wait_copy *wait, uint32_t next)
{
    if (depends_on(deadlock, wait, next))
        return next;
    for (int i = 0; i < 2; i++)
        if (wait->awaited[i] != NOBODY && deadlock->stuck[wait->awaited[i]])
            return wait->awaited[i];
    return NOBODY;
}

static void spell_out(const mst_deadlock *deadlock, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "deadlock among ranks of the world: ");

    for (uint32_t i = 0; i < deadlock->cycle_size && used < bytes; i++) {
        const mst_rank_entry *entry = entry_of(deadlock, deadlock->cycle[i].seat);
        wait_copy wait = read_wait(deadlock, deadlock->cycle[i].seat);
        uint32_t next = deadlock->cycle[(i + 1) % deadlock->cycle_size].seat;
        uint32_t reason =
            wait.awaits_any && is_one_of(&wait, next) ? NOBODY : find_reason(deadlock, &wait, next);
        char doing[MST_DOING_BYTES + 1] = "", whom[16] = "any rank";

        if (reason != NOBODY)
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

static void copy_cycle(const mst_rank_entry *entry, char *text, size_t bytes)
{
    char cycle[sizeof entry->cycle + 1] = "";

    memcpy(cycle, entry->cycle, sizeof entry->cycle);
    snprintf(text, bytes, "%s", cycle);
}

static bool was_told(const mst_deadlock *deadlock, char *text, size_t bytes)
{
    const mst_rank_entry *entry = entry_of(deadlock, deadlock->self);

    if (mst_load64_acq(&entry->verdict) != 2 * deadlock->waits + 1) /* E14 */
        return false;
    copy_cycle(entry, text, bytes);
    return true;
}

/* The verdict may be on a wait before the latest one: as members leave, others wake up and wait again. */
bool mst_deadlock_told(const mst_deadlock *deadlock, uint64_t earlier, char *text, size_t bytes)
{
    const mst_rank_entry *entry = entry_of(deadlock, deadlock->self);
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
    proof result = deadlock->cycle_size ? examine(deadlock) : REFUTED;
    if (result == REFUTED) {
        deadlock->cycle_size = 0;
        if (look_for_members(deadlock))
            suspect(deadlock);
    }
    if (result != PROVEN)
        return false;
    spell_out(deadlock, text, bytes);
    for (uint32_t i = 1; i < deadlock->cycle_size; i++)
        tell(deadlock, &deadlock->cycle[i], text);
    return true;
}
