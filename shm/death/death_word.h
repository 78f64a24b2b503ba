/*
 * The thread that owns a rank's death word, and sleeps until the death word of another rank falls.
 *
 * The death word, a robust futex, is in the rank's entry. The thread raises it, which makes the thread its
 * owner, when the rank attaches, and lowers it when the rank detaches. If the process ends in between, the
 * word falls: the kernel marks it. Meanwhile the thread sleeps on the death words of the peers and on the
 * count of terminations. When a death word falls, the thread finds out how the process ended, records the
 * termination and has the rank's groups poisoned. The kernel wakes one sleeper per death word; recording
 * wakes all the others. If that sleeper dies instead of recording, its own death word falls next, and another
 * sleeper takes over.
 *
 * Each thread watches up to 126 peers, those that follow it in the order of seats: what one thread records,
 * all others read. Costs a thread with a small stack, and next to no CPU time until a rank dies: every other
 * second the thread checks whether all of the program's own threads have ended; then it ends too, and with it
 * the process.
 */
#ifndef MST_DEATH_WORD_H
#define MST_DEATH_WORD_H

#include "shm/death/liveness.h"
#include "shm/wait/wait.h"

typedef struct mst_death_word {
    mst_liveness *liveness;
    void (*notify)(void *arg); /* terminations have been recorded, by any rank */
    void *arg;
    _Atomic uint32_t *own_threads; /* of the library, which this process runs for the rank: counts itself */
    bool started;
    bool up; /* valid once `raised` has advanced */
    pthread_t thread;
    mst_eventcount raised;   /* 1: the thread owns the death word, or has found that it cannot */
    _Atomic uint32_t orders; /* to the thread, which also sleeps on this word: watch, stop */
    mst_os_death_word held;
} mst_death_word;

/* Raises the death word of the liveness's rank, if its detection method uses one and the system supports it.
 * Returns after that, so that peers find the death word together with the entry. */
void mst_death_word_start(mst_death_word *death_word, mst_liveness *liveness, void (*notify)(void *arg),
                          void *arg, _Atomic uint32_t *own_threads);

/* All ranks have attached: watch them, if the detection method does. */
void mst_death_word_watch(mst_death_word *death_word);

/* Lowers it; allowed if it was never raised. */
void mst_death_word_stop(mst_death_word *death_word);

#endif
