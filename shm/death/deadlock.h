/*
 * Ranks that wait for each other in a cycle.
 *
 * A rank whose wait has become long publishes in its entry of the arena whom it waits for; at every tick of
 * the wait, after it has looked in vain once more, it counts one check. Whoever finds a cycle through
 * itself remembers it, with the numbers of the waits and the checks, and believes it when later every
 * member is in the same wait and has counted two checks more. That is proof: at the first look all
 * members were waiting; the second of the two checks began after it; so each has found that what it
 * waits for is not there at a time when none of the others could still do it. The cycle's text is then
 * written into every member's entry, since the first to leave would hide it from the others.
 *
 * A rank takes part only while the thread that waits is all there is of its process (the library's own
 * thread aside): another one may be computing, and do later what is waited for. A program whose other
 * threads never call muster says so (MUSTER_ONE_THREAD). Time proves nothing here: a rank that computes,
 * sleeps or is stopped has published nothing, or counts no checks.
 *
 * Published and withdrawn by the one thread there is, and so without a lock. Costs nothing until a wait has
 * lasted two ticks.
 */
#ifndef MST_DEADLOCK_H
#define MST_DEADLOCK_H

#include "shm/base/layout.h"

/* A member of a cycle, as it was when the cycle was first seen. */
typedef struct mst_deadlock_member {
    uint32_t seat;
    uint32_t checks;
    uint64_t wait_epoch;
} mst_deadlock_member;

typedef struct mst_deadlock {
    mst_geometry geometry;
    uint32_t self;
    int own_threads;            /* of the library, in this process on behalf of this rank */
    bool promised;              /* only one thread of this rank calls muster, whatever others there are */
    _Atomic uint32_t published; /* 1: the wait under way; other threads of the rank may look */
    uint64_t waits;             /* published so far */
    mst_deadlock_member *cycle;
    uint32_t *seen_from; /* for the search: by whom a rank was reached */
    uint32_t cycle_size; /* 0: none suspected */
} mst_deadlock;

bool mst_deadlock_init(mst_deadlock *deadlock, const mst_geometry *geometry,
                       uint32_t self); /* false: no memory */
void mst_deadlock_destroy(mst_deadlock *deadlock);

/* What the wait under way is for: up to two ranks of the world, all of whom must act (MST_RANKS_MAX:
 * nobody), in words. Called at each tick; publishes, or counts a check. */
void mst_deadlock_waiting(mst_deadlock *deadlock, const uint32_t awaited[2], const char *doing);

/* Whether that wait is part of a cycle; the cycle, spelled out, in `text`. */
bool mst_deadlock_found(mst_deadlock *deadlock, char *text, size_t bytes);

/* The wait is over. */
void mst_deadlock_over(mst_deadlock *deadlock);

#endif
