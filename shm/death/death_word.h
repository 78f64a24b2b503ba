/*
 * The thread that holds a rank's death_word, and sleeps until somebody else's falls.
 *
 * The death word is the word in the rank's entry; the thread holds it for as long as the rank is attached, so
 * that the kernel changes the word when the process ends. Meanwhile the thread sleeps on the death words of
 * the peers and on the count of terminations. When one falls it finds out how, records the ending and has the
 * rank's groups poisoned. The kernel wakes one sleeper per death word; recording wakes all the others, and a
 * sleeper that dies instead of recording is itself the next death word to fall, so the news cascades.
 *
 * Up to 126 peers are watched by each, those after it in the order of ranks: whoever is watched by
 * somebody is known to everybody. Costs a thread with a small stack, and next to no time until somebody dies:
 * every other second it looks whether the program's own threads have all ended, for then it ends, too, and
 * with it the process.
 */
#ifndef MST_DEATH_WORD_H
#define MST_DEATH_WORD_H

#include "shm/death/liveness.h"
#include "shm/wait/wait.h"

typedef struct mst_death_word {
    mst_liveness *liveness;
    void (*notify)(void *arg); /* terminations have been recorded, by whomever */
    void *arg;
    bool started;
    bool up; /* before `raised` */
    pthread_t thread;
    mst_eventcount raised;   /* 1: the thread holds the death word, or has found that it cannot */
    _Atomic uint32_t orders; /* to the thread, which sleeps on this, too: watch, stop */
    mst_os_death_word held;
} mst_death_word;

/* Raises the death word of the liveness's rank, if its detection method has one and the system too. Returns
 * when it is up, so that peers find it with the entry. */
void mst_death_word_start(mst_death_word *death_word, mst_liveness *liveness, void (*notify)(void *arg),
                          void *arg);

/* All ranks are here: watch them, if the detection method says so. */
void mst_death_word_watch(mst_death_word *death_word);

/* Lowers it; fine when it was never up. */
void mst_death_word_stop(mst_death_word *death_word);

#endif
