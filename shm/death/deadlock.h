/*
 * Detects ranks that wait for each other in a cycle, or in a knot.
 *
 * A wait is for one or two ranks, each of which must act, and for any one of a set of ranks. It can end
 * unless one of the former, or all of the latter, cannot act. Ranks are deadlocked if each of them waits and
 * cannot go on because of others of them: a cycle, if none waits for a set, and a knot otherwise.
 *
 * A rank whose wait has become long publishes in its entry of the arena which ranks it waits for; at every
 * tick of the wait, after it has checked once more without success, it counts one check. A rank that finds a
 * cycle or knot that it is part of records it, with the wait epochs and the counts of checks, and considers
 * it proven when later every member is in the same wait and has counted two more checks. That is proof: at
 * the first look all members were waiting, and the second of the two checks began after it, so each member
 * has found that what it waits for is absent at a time when none of the others could still provide it. The
 * description of the cycle is then written into every member's entry, since the first member to leave would
 * hide the cycle from the others.
 *
 * A rank takes part only while no other thread of its process can act (apart from the library's own): one
 * might be computing, and later provide what is awaited. So there is no other thread, or all others sleep
 * until a thread of the process wakes them, and the program handles no signal that could wake one. Threads of
 * MLX and PyTorch sleep so, while they wait for the one that operates. A program whose other threads never
 * call muster states so (MUSTER_ONE_THREAD). Elapsed time proves nothing here: a rank that computes or sleeps
 * has published nothing, and a stopped one counts no checks.
 *
 * The program's only thread publishes its wait. The same thread withdraws it, or the progress thread does
 * when it has moved a message, since another member may wait for just that; in collectives the members of a
 * cycle wait for others to start, which progress does not do. A check counts only if the
 * program's thread has itself made all progress that can be made (look_for_cycle in
 * src/onehost/wait/stall.c): else the progress thread might be about to move something. Costs nothing until a
 * wait has lasted two ticks.
 */
#ifndef MST_DEADLOCK_H
#define MST_DEADLOCK_H

#include <pthread.h>

#include "shm/death/wait_graph.h"

typedef struct mst_deadlock {
    mst_wait_graph graph;
    _Atomic uint32_t own_threads; /* of the library, which this process runs for this rank */
    bool promised;                /* the user states that only one thread of this rank calls muster */
    pthread_mutex_t lock;         /* of whoever publishes or withdraws */
    _Atomic uint32_t published;   /* 1: the current wait; other threads of the rank may read it */
    uint64_t waits;               /* number of published waits */
    uint64_t digest;              /* of the other threads, when it was published; 0: there was none */
    uint32_t awaited[2];          /* as published */
    mst_seats any_of;             /* as published; empty: none */
} mst_deadlock;

bool mst_deadlock_init(mst_deadlock *deadlock, const mst_geometry *geometry,
                       uint32_t self); /* false: no memory */
void mst_deadlock_destroy(mst_deadlock *deadlock);

/* States what the current wait is for: up to two seats (MST_RANKS_MAX: none), all of which must act; any one
 * of a set, NULL: none; and the call. Called at each tick; publishes, again when any of them has changed, or
 * counts a check. `due`: it may take several system calls. */
void mst_deadlock_waiting(mst_deadlock *deadlock, const uint32_t awaited[2], const mst_seats *any_of,
                          const char *doing, bool due);

/* Whether the current wait is part of a cycle; if so, writes a description of the cycle to `text`. */
bool mst_deadlock_found(mst_deadlock *deadlock, char *text, size_t bytes);

/* Whether another rank has found that a wait of ours is part of a cycle; if so, writes its description to
 * `text`. Regards waits published after the first `earlier` ones, also those that are over: members leave
 * once they know of the cycle, which ends the waits for them. */
bool mst_deadlock_told(const mst_deadlock *deadlock, uint64_t earlier, char *text, size_t bytes);

/* The wait has ended. */
void mst_deadlock_over(mst_deadlock *deadlock);

#endif
