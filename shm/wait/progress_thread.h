/*
 * A thread of the library that makes progress of a rank's started operations (background.h) while no thread
 * of the program waits.
 *
 * It sleeps on the doorbell while there are operations, and elsewhere while there are none, or while a thread
 * of the program looks after them: then nobody has to wake it. It is woken by changes only, and never polls;
 * every other second it checks whether all of the program's own threads have ended.
 *
 * Besides, it can do something that has nothing to do with the doorbell, as groups over several hosts need
 * it: what another machine does rings nobody, so that has to be looked at again and again while it goes on.
 */
#ifndef MST_PROGRESS_THREAD_H
#define MST_PROGRESS_THREAD_H

#include "shm/wait/background.h"

/* What it does besides, with no lock held. `turn` returns for how many ns the thread may sleep, unless
 * somebody rings; 0: until then. */
typedef struct mst_besides {
    int64_t (*turn)(void *arg);
    void *arg;
} mst_besides;

typedef struct mst_progress_thread {
    bool wanted;
    mst_besides besides;
    _Atomic uint32_t has_besides; /* 1: `besides` is complete, E43 */
    int64_t looked_ns;            /* when it has looked for the program's threads */
    _Atomic uint32_t started;     /* 1: it runs, or is to be joined */
    _Atomic uint32_t stopped;     /* 1: it has been told to end */
    _Atomic uint64_t turns;       /* how often it has looked, for tests */
    _Atomic uint32_t in_program;  /* threads of the rank that are in a function of the program's */
    mst_eventcount news;          /* it has ended, or a thread is in such a function */
    _Atomic uint32_t ended;
    _Atomic uint32_t *own_threads; /* threads of the library that this process runs for the rank */
    mst_background *background;
    pthread_t thread;
} mst_progress_thread;

/* Starts it. -EAGAIN and others: there is none. */
int mst_progress_thread_start(mst_progress_thread *progress, mst_background *background,
                              _Atomic uint32_t *own_threads);

/* From now on it does this besides; once. */
void mst_progress_thread_do_besides(mst_progress_thread *progress, const mst_besides *besides);

/* Calls it to its next turn, as there is something to do besides. The caller has changed that by a lock that
 * the turn takes, too. */
void mst_progress_thread_ring(mst_progress_thread *progress);

/* Ends and joins it; allowed if it was never started. */
void mst_progress_thread_stop(mst_progress_thread *progress);

/* The same as the program ends. It is not waited for where it is in a function of the program's, which may
 * wait for what the thread that ends the program has, as for an interpreter's lock: it ends with the process.
 */
void mst_progress_thread_abandon(mst_progress_thread *progress);

/* Around each call of an operation that the program made, by any thread of the rank. */
void mst_progress_thread_calls_program(mst_progress_thread *progress);
void mst_progress_thread_called_program(mst_progress_thread *progress);

#endif
