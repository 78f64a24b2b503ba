/* The list of tasks of background.h. */
#include "shm/wait/background.h"

void mst_background_init(mst_background *background, mst_parking doorbell)
{
    *background = (mst_background){ .doorbell = doorbell };
    pthread_mutex_init(&background->busy, NULL);
    pthread_mutex_init(&background->lock, NULL);
}

void mst_background_destroy(mst_background *background)
{
    pthread_mutex_destroy(&background->lock);
    pthread_mutex_destroy(&background->busy);
}

/* ---- the list; with the lock ---- */

static void add(mst_background *background, mst_task *task)
{
    task->listed = true;
    task->next = background->first;
    background->first = task;
    mst_add32_sc(&background->listed, 1);
}

static void take_off(mst_background *background, mst_task *task)
{
    mst_task **link = &background->first;

    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    task->listed = false;
    mst_store32_rlx(&task->wanted, 0);
    mst_add32_sc(&background->listed, (uint32_t)-1);
}

/* ---- the thread that makes progress ---- */

/* The second try comes after E35: if it fails, too, the other thread lets go after that. */
static bool try_to_begin(mst_background *background, bool insists)
{
    if (pthread_mutex_trylock(&background->busy) == 0)
        return true;
    if (!insists)
        return false;
    mst_exchange32_sc(&background->again, 1); /* E35 */
    return pthread_mutex_trylock(&background->busy) == 0;
}

static void let_go(mst_background *background)
{
    pthread_mutex_unlock(&background->busy);
    if (mst_exchange32_sc(&background->again, 0)) /* E35: after we have let go */
        mst_ring(background->doorbell);
}

/* Tasks may be listed meanwhile, at the front, but only we take them off. */
static bool make_progress(mst_background *background, bool insists)
{
    bool all = true;

    pthread_mutex_lock(&background->lock);
    for (mst_task *next, *task = background->first; task; task = next) {
        mst_store32_rlx(&task->wanted, 0);
        pthread_mutex_unlock(&background->lock);
        mst_task_state state = task->progress(task->arg, insists);
        pthread_mutex_lock(&background->lock);
        next = task->next;
        all = all && state != MST_TASK_BUSY;
        if (state == MST_TASK_OVER && !mst_load32_rlx(&task->wanted))
            take_off(background, task);
    }
    pthread_mutex_unlock(&background->lock);
    return all;
}

bool mst_background_progress(mst_background *background, bool insists)
{
    if (mst_background_is_empty(background))
        return true;
    if (!try_to_begin(background, insists))
        return false;
    bool all = make_progress(background, insists);
    let_go(background);
    return all;
}

/* ---- listing ---- */

void mst_background_list(mst_background *background, mst_task *task)
{
    pthread_mutex_lock(&background->lock);
    mst_store32_rlx(&task->wanted, 1);
    if (!task->listed)
        add(background, task);
    pthread_mutex_unlock(&background->lock);
    if (mst_load32_rlx(&background->attended)) { /* E9: it looks at the list, by the lock, before it sleeps */
        mst_eventcount_ring(&background->idle);
        mst_ring(background->doorbell);
    }
}

void mst_background_remove(mst_background *background, mst_task *task)
{
    pthread_mutex_lock(&background->busy);
    pthread_mutex_lock(&background->lock);
    if (task->listed)
        take_off(background, task);
    pthread_mutex_unlock(&background->lock);
    let_go(background);
}

/* ---- the progress thread ---- */

void mst_background_enter(mst_background *background)
{
    if (mst_load32_rlx(&background->attended))
        mst_add32_sc(&background->waiting, 1);
}

/* The progress thread counts itself among the sleepers before it looks at `waiting`. */
void mst_background_leave(mst_background *background)
{
    if (!mst_load32_rlx(&background->attended))
        return;
    mst_add32_sc(&background->waiting, (uint32_t)-1); /* E9 */
    if (mst_load32_sc(&background->listed) != 0)
        mst_eventcount_ring(&background->idle);
}

bool mst_background_is_idle(mst_background *background)
{
    if (mst_load32_sc(&background->waiting) != 0) /* E9 */
        return true;
    pthread_mutex_lock(&background->lock);
    bool empty = !background->first;
    pthread_mutex_unlock(&background->lock);
    return empty;
}
