/*
 * What is under way in the background of a rank's waits: work for other operations than the one that a thread
 * waits for. Each group with pending operations has a task, which is listed here while it has something to
 * do; any thread of the rank that waits, for whatever, looks after all of them.
 *
 * A task's progress is called by one thread at a time, with the list's lock, and must not wait. There is one
 * word for all tasks, on which a waiting thread sleeps besides its own: whoever changes something that a task
 * looks at rings it.
 */
#ifndef MST_BACKGROUND_H
#define MST_BACKGROUND_H

#include <pthread.h>

#include "shm/base/atomic.h"

typedef struct mst_task {
    bool (*progress)(void *arg); /* false: nothing to do until it is listed again */
    void *arg;
    bool listed;
    struct mst_task *next;
} mst_task;

typedef struct mst_background {
    _Atomic uint32_t listed; /* how many are */
    pthread_mutex_t lock;
    mst_task *first;
} mst_background;

void mst_background_init(mst_background *background);
void mst_background_destroy(mst_background *background);

/* Lists a task, and removes one, after which nobody calls it any more. */
void mst_background_list(mst_background *background, mst_task *task);
void mst_background_remove(mst_background *background, mst_task *task);

/* Makes progress of all tasks, unless another thread is about to. */
void mst_background_progress(mst_background *background);

static inline bool mst_background_is_empty(const mst_background *background)
{
    return mst_load32_rlx(&background->listed) == 0;
}

#endif
