/* The list of tasks of background.h. */
#include "shm/wait/background.h"

void mst_background_init(mst_background *background)
{
    *background = (mst_background){ .first = NULL };
    pthread_mutex_init(&background->lock, NULL);
}

void mst_background_destroy(mst_background *background)
{
    pthread_mutex_destroy(&background->lock);
}

/* With the lock. */
static void count(mst_background *background)
{
    uint32_t listed = 0;

    for (const mst_task *task = background->first; task; task = task->next)
        listed++;
    mst_store32_rlx(&background->listed, listed);
}

static void take_off(mst_background *background, mst_task *task)
{
    mst_task **link = &background->first;

    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    task->listed = false;
}

void mst_background_list(mst_background *background, mst_task *task)
{
    pthread_mutex_lock(&background->lock);
    if (!task->listed) {
        task->listed = true;
        task->next = background->first;
        background->first = task;
        count(background);
    }
    pthread_mutex_unlock(&background->lock);
}

void mst_background_remove(mst_background *background, mst_task *task)
{
    pthread_mutex_lock(&background->lock);
    if (task->listed)
        take_off(background, task);
    count(background);
    pthread_mutex_unlock(&background->lock);
}

void mst_background_progress(mst_background *background)
{
    if (mst_background_is_empty(background) || pthread_mutex_trylock(&background->lock) != 0)
        return;
    for (mst_task *next, *task = background->first; task; task = next) {
        next = task->next;
        if (!task->progress(task->arg))
            take_off(background, task);
    }
    count(background);
    pthread_mutex_unlock(&background->lock);
}
