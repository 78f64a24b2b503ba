/*
 * What is under way in the background of a rank's waits: work for other operations than the one that a thread
 * waits for. Each group with pending operations has a task, which is listed here while it has something to
 * do; any thread of the rank that waits, for whatever, looks after all of them, and so does the progress
 * thread, if there is one, while none waits (progress_thread.h).
 *
 * Progress is made by one thread at a time, and must not wait. There is one word for all tasks, the doorbell,
 * on which a waiting thread sleeps besides its own: whoever changes something that a task looks at rings it.
 *
 * A thread that is about to sleep and finds another one making progress leaves it to that one, which may have
 * looked already. So it says that there is something to look at again, and tries once more (E35); the other
 * one, after it has let go, sees that, and rings the doorbell.
 */
#ifndef MST_BACKGROUND_H
#define MST_BACKGROUND_H

#include <pthread.h>

#include "shm/base/atomic.h"
#include "shm/wait/wake.h"

typedef enum mst_task_state {
    MST_TASK_OVER, /* nothing to do until it is listed again */
    MST_TASK_MORE,
    MST_TASK_BUSY /* the same, and another thread is in the way */
} mst_task_state;

typedef struct mst_task {
    /* `insists`: the caller sleeps next, and must be woken if another thread is in the way. */
    mst_task_state (*progress)(void *arg, bool insists);
    void *arg;
    bool listed;
    _Atomic uint32_t wanted; /* 1: listed since its progress began */
    struct mst_task *next;
} mst_task;

typedef struct mst_background {
    _Atomic uint32_t listed;   /* how many are */
    _Atomic uint32_t again;    /* 1: a thread that sleeps has left it to the one that makes progress, E35 */
    _Atomic uint32_t waiting;  /* threads of the program that look after it now, if `attended` */
    _Atomic uint32_t attended; /* 1: there is a progress thread */
    mst_parking doorbell;
    mst_eventcount idle;  /* the progress thread sleeps here while it has nothing to do */
    pthread_mutex_t busy; /* of the thread that makes progress */
    pthread_mutex_t lock; /* protects the following member, and the tasks */
    mst_task *first;
} mst_background;

void mst_background_init(mst_background *background, mst_parking doorbell);
void mst_background_destroy(mst_background *background);

/* Lists a task, and removes one, after which nobody calls it any more. */
void mst_background_list(mst_background *background, mst_task *task);
void mst_background_remove(mst_background *background, mst_task *task);

/* Whether it is listed, and its progress has not begun since. For callers that hold the lock that `progress`
 * takes: what they do before they let go is seen by that progress, so they need not list it again. */
static inline bool mst_background_is_wanted(const mst_task *task)
{
    return mst_load32_rlx(&task->wanted) != 0;
}

/* Makes progress of all tasks. False: another thread is about to, for some of them; `insists`: that one, or
 * the next change, rings the doorbell. */
bool mst_background_progress(mst_background *background, bool insists);

/* A thread of the program begins to look after it, and ends. */
void mst_background_enter(mst_background *background);
void mst_background_leave(mst_background *background);

/* Whether the progress thread has nothing to do. */
bool mst_background_is_idle(mst_background *background);

static inline bool mst_background_is_empty(const mst_background *background)
{
    return mst_load32_rlx(&background->listed) == 0;
}

#endif
