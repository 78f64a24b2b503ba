/* The thread of progress_thread.h. */
#include "shm/wait/progress_thread.h"

#include "shm/port/os.h"
#include "shm/wait/wait.h"

#define LOOK_AT_OURSELVES_NS (2 * MST_NS_PER_S)

/* ---- in the thread ---- */

/* Whether only threads of the library are left. Then the process must end, and must not wait for this one. */
static bool is_left_alone(mst_progress_thread *progress)
{
    if (!mst_os_thread_is_last((int)mst_load32_rlx(progress->own_threads)))
        return false;
    mst_add32_sc(progress->own_threads, (uint32_t)-1);
    mst_store32_rlx(&progress->started, 0); /* exit handlers must not join this thread: a new one does */
    mst_os_thread_end_after(&progress->thread);
    return true;
}

/* What there is besides; returns for how long it may sleep. */
static int64_t take_turn(mst_progress_thread *progress)
{
    if (!mst_load32_acq(&progress->has_besides)) /* E43 */
        return LOOK_AT_OURSELVES_NS;
    int64_t limit_ns = progress->besides.turn(progress->besides.arg);
    return limit_ns > 0 && limit_ns < LOOK_AT_OURSELVES_NS ? limit_ns : LOOK_AT_OURSELVES_NS;
}

/* False: it must not sleep there, because that has changed. */
static bool may_sleep(mst_progress_thread *progress, bool idle, int64_t *limit_ns)
{
    mst_background *background = progress->background;

    if (!idle)
        mst_background_progress(background, true);
    *limit_ns = take_turn(progress);
    return mst_background_is_idle(background) == idle && !mst_load32_sc(&progress->stopped); /* E9 */
}

/* Whether it is time to look whether it is left alone. */
static bool is_to_look(mst_progress_thread *progress)
{
    int64_t now_ns = mst_os_now_ns();

    if (now_ns - progress->looked_ns < LOOK_AT_OURSELVES_NS)
        return false;
    progress->looked_ns = now_ns;
    return true;
}

/* Sleeps until there may be something to do. */
static void sleep_once(mst_progress_thread *progress)
{
    mst_background *background = progress->background;
    bool idle = mst_background_is_idle(background);
    int64_t limit_ns;
    mst_parking parking = idle ? mst_eventcount_parking(&background->idle) : background->doorbell;

    mst_add64_rlx(&progress->turns, 1);
    mst_add32_sc(parking.sleepers, 1); /* E9: announced before the last look */
    mst_os_watched_word word = { parking.word, mst_load32_sc(parking.word) }; /* E9 */
    if (may_sleep(progress, idle, &limit_ns))
        mst_wait_watch(&word, 1, limit_ns);
    mst_add32_sc(parking.sleepers, (uint32_t)-1);
}

static void *make_progress(void *arg)
{
    mst_progress_thread *progress = arg;

    mst_os_thread_name("muster-progress"); /* muster inspect --stacks skips it by this name */
    progress->looked_ns = mst_os_now_ns();
    while (!mst_load32_sc(&progress->stopped)) {
        sleep_once(progress);
        if (is_to_look(progress) && is_left_alone(progress))
            break;
    }
    mst_exchange32_sc(&progress->ended, 1); /* E9 */
    mst_eventcount_ring(&progress->news);
    return NULL;
}

/* ---- in the rank ---- */

int mst_progress_thread_start(mst_progress_thread *progress, mst_background *background,
                              _Atomic uint32_t *own_threads)
{
    progress->background = background;
    progress->own_threads = own_threads;
    mst_store32_rlx(&progress->started, 1);
    mst_store32_rlx(&background->attended, 1);
    int error = mst_os_thread_start(&progress->thread, true, make_progress, progress);
    if (error) {
        mst_store32_rlx(&progress->started, 0);
        mst_store32_rlx(&background->attended, 0);
        return error;
    }
    mst_add32_sc(own_threads, 1); /* late rather than early: until then nobody relies on it */
    return 0;
}

void mst_progress_thread_do_besides(mst_progress_thread *progress, const mst_besides *besides)
{
    progress->besides = *besides;
    mst_store32_rel(&progress->has_besides, 1); /* E43 */
}

void mst_progress_thread_ring(mst_progress_thread *progress)
{
    mst_eventcount_ring(&progress->background->idle);
    mst_ring(progress->background->doorbell);
}

static void tell_to_end(mst_progress_thread *progress)
{
    mst_add32_sc(progress->own_threads, (uint32_t)-1);
    mst_exchange32_sc(&progress->stopped, 1); /* E9 */
    mst_eventcount_ring(&progress->background->idle);
    mst_ring(progress->background->doorbell);
}

static void join(mst_progress_thread *progress)
{
    pthread_join(progress->thread, NULL);
    mst_store32_rlx(&progress->started, 0);
}

void mst_progress_thread_stop(mst_progress_thread *progress)
{
    if (!mst_load32_rlx(&progress->started))
        return;
    tell_to_end(progress);
    join(progress);
}

static bool has_ended(const void *arg)
{
    const mst_progress_thread *progress = arg;

    return mst_load32_sc(&progress->ended) || mst_load32_sc(&progress->in_program); /* E9 */
}

void mst_progress_thread_abandon(mst_progress_thread *progress)
{
    mst_waiter waiter = { .policy = { .spin_ns = 0, .yield_ns = 1 * MST_NS_PER_MS } };

    if (!mst_load32_rlx(&progress->started))
        return;
    tell_to_end(progress);
    mst_wait_until(&waiter, mst_eventcount_parking(&progress->news), has_ended, progress, -1);
    if (mst_load32_sc(&progress->ended))
        join(progress);
}

void mst_progress_thread_calls_program(mst_progress_thread *progress)
{
    mst_add32_sc(&progress->in_program, 1); /* E9 */
    mst_eventcount_ring(&progress->news);
}

void mst_progress_thread_called_program(mst_progress_thread *progress)
{
    mst_add32_sc(&progress->in_program, (uint32_t)-1);
}
