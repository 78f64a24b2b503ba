/*
 * A thread of the library that makes progress of a rank's started operations (background.h) while no thread
 * of the program waits.
 *
 * It sleeps on the doorbell while there are operations, and elsewhere while there are none, or while a thread
 * of the program looks after them: then nobody has to wake it. It is woken by changes only, and never polls;
 * every other second it checks whether all of the program's own threads have ended.
 */
#ifndef MST_PROGRESS_THREAD_H
#define MST_PROGRESS_THREAD_H

#include "shm/wait/background.h"

typedef struct mst_progress_thread {
    bool wanted;
    _Atomic uint32_t started;    /* 1: it runs, or is to be joined */
    _Atomic uint32_t stopped;    /* 1: it has been told to end */
    _Atomic uint64_t turns;      /* how often it has looked, for tests */
    _Atomic uint32_t in_program; /* threads of the rank that are in a function of the program's */
    mst_eventcount news;         /* it has ended, or a thread is in such a function */
    _Atomic uint32_t ended;
    _Atomic uint32_t *own_threads; /* threads of the library that this process runs for the rank */
    mst_background *background;
    pthread_t thread;
} mst_progress_thread;

/* Starts it. -EAGAIN and others: there is none. */
int mst_progress_thread_start(mst_progress_thread *progress, mst_background *background,
                              _Atomic uint32_t *own_threads);

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
