/*
 * Words on which threads sleep, and how sleepers are woken.
 *
 * A sleeper counts itself in `sleepers`, reads the word, looks once more, and parks while the word is what it
 * read. Whoever changes what is waited for wakes the sleepers; mostly there are none (E9). Only wait.c parks.
 */
#ifndef MST_WAKE_H
#define MST_WAKE_H

#include "shm/base/atomic.h"
#include "shm/base/layout.h"
#include "shm/port/os.h"

/* Where a waiter sleeps: on `word`, after it has counted itself in `sleepers`. */
typedef struct mst_parking {
    _Atomic uint32_t *word;
    _Atomic uint32_t *sleepers;
} mst_parking;

static inline mst_parking mst_eventcount_parking(mst_eventcount *event)
{
    return (mst_parking){ &event->word, &event->sleepers };
}

/* Wakes the sleepers on the word, if any. The caller has changed the word; a plain release store is enough,
 * since sleepers are counted by read-modify-writes on both sides (E9). */
static inline void mst_wake(mst_parking parking)
{
    /* E9: adds nothing, but is ordered before or after each sleeper's own add. If after, it sees the sleeper;
     * if before, the sleeper's add acquires the word that was stored before this. */
    if (__builtin_expect(mst_add32_sc(parking.sleepers, 0) != 0, false))
        mst_os_unpark_all(parking.word);
}

/* Sets the poison bit and wakes everyone. */
void mst_alarm(mst_parking parking);

/* Adds 1 to the count and wakes the sleepers, if any. Returns the word as it was. */
uint32_t mst_eventcount_advance(mst_eventcount *event);

/* Wakes the sleepers of the parking, if any, to check again; costs a load when there are none. What they wait
 * for was changed by a read-modify-write of other words; the parking's own word counts nothing. */
void mst_ring_sleepers(mst_parking parking) __attribute__((cold));

static inline void mst_ring(mst_parking parking)
{
    if (__builtin_expect(mst_load32_sc(parking.sleepers) != 0, false)) /* E9: after the caller's _sc store */
        mst_ring_sleepers(parking);
}

static inline void mst_eventcount_ring(mst_eventcount *event)
{
    mst_ring(mst_eventcount_parking(event));
}

/* Wakes the threads that sleep by mst_wait_watch, without checking whether there are any. */
void mst_wake_watchers(const _Atomic uint32_t *word);

#endif
