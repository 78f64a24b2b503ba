/* The watching thread of death_word.h. */
#include "shm/death/death_word.h"

#include <errno.h>

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "shm/death/terminations.h"
#include "shm/port/os.h"

#define LOOK_AGAIN_NS 200000LL /* while a fallen death word is not explained yet */
#define LOOK_AT_OURSELVES_NS (2 * MST_NS_PER_S)

enum { ORDER_WATCH = 1, ORDER_STOP = 2 };

static _Atomic uint32_t *own_word(const mst_liveness *liveness)
{
    return &mst_layout_entry(&liveness->geometry, liveness->self)->death_word;
}

static _Atomic uint32_t *count_of_terminations(const mst_liveness *liveness)
{
    return &mst_layout_header(&liveness->geometry)->terminations;
}

/* ---- in the watching thread ---- */

/* What the thread sleeps on: its orders, the count of terminations, and death words. All are read before they
 * are acted upon, so that a change in between ends the sleep at once. */
static size_t list_words(mst_death_word *death_word, mst_os_watched_word *words)
{
    const mst_liveness *liveness = death_word->liveness;
    uint32_t seats = liveness->geometry.seats;
    _Atomic uint32_t *terminations = count_of_terminations(liveness);
    size_t count = 2;

    words[0] = (mst_os_watched_word){ terminations, mst_load32_acq(terminations) }; /* E8 */
    words[1] = (mst_os_watched_word){ &death_word->orders, mst_load32_acq(&death_word->orders) };
    if (!(words[1].seen & ORDER_WATCH))
        return count;
    for (uint32_t i = 1; i < seats && count < MST_OS_WATCHED_MAX; i++) {
        _Atomic uint32_t *word =
            &mst_layout_entry(&liveness->geometry, (liveness->self + i) % seats)->death_word;
        uint32_t seen = mst_load32_acq(word);

        if (seen != 0 && !mst_os_death_word_fell(seen))
            words[count++] = (mst_os_watched_word){ word, seen };
    }
    return count;
}

/* Whether only threads of the library are left. Then the process must end: it must not wait for this thread,
 * nor peers for it. */
static bool is_left_alone(mst_death_word *death_word)
{
    if (!mst_os_thread_is_last((int)mst_load32_rlx(death_word->own_threads)))
        return false;
    mst_add32_sc(death_word->own_threads, (uint32_t)-1);
    death_word->started = false; /* exit handlers must not join this thread: a new one does */
    mst_os_thread_end_after(&death_word->thread);
    return true;
}

static void watch_until_stopped(mst_death_word *death_word)
{
    mst_os_watched_word words[MST_OS_WATCHED_MAX];
    uint32_t terminations_seen = 0, orders_seen = 0;

    for (;;) {
        size_t count = list_words(death_word, words);
        uint32_t orders = words[1].seen;
        bool again = (orders & ORDER_WATCH) && mst_liveness_scan_death_words(death_word->liveness);
        uint32_t terminations = mst_termination_count(&death_word->liveness->geometry);

        if (terminations != terminations_seen || orders != orders_seen) {
            mst_fault_point("death_word.notify");
            death_word->notify(death_word->arg);
        }
        terminations_seen = terminations;
        orders_seen = orders;
        if (orders & ORDER_STOP) /* everybody that this thread was woken for has been notified */
            return;
        if (terminations != words[0].seen)
            continue;
        int64_t slept_from_ns = mst_os_now_ns();
        if (mst_wait_watch(words, count, again ? LOOK_AGAIN_NS : LOOK_AT_OURSELVES_NS) == -ENOSYS)
            mst_store32_rlx(&death_word->liveness->detection, MST_DETECTION_TICK);
        if (mst_os_now_ns() - slept_from_ns >= LOOK_AT_OURSELVES_NS && is_left_alone(death_word))
            return;
    }
}

static void *hold(void *arg)
{
    mst_death_word *death_word = arg;
    _Atomic uint32_t *word = own_word(death_word->liveness);

    mst_os_thread_name("muster-watch"); /* muster inspect --stacks skips it by this name */
    death_word->up = mst_os_death_word_raise(&death_word->held, word) == 0;
    bool up = death_word->up;
    mst_fault_point("death_word.raised");
    mst_eventcount_advance(&death_word->raised);
    if (up) {
        watch_until_stopped(death_word);
        mst_fault_point("death_word.lower");
        mst_os_death_word_lower(&death_word->held, word);
        mst_fault_point("death_word.lowered");
    }
    return NULL;
}

/* ---- in the rank ---- */

static bool is_raised(const void *arg)
{
    const mst_death_word *death_word = arg;

    return mst_count_reached(&death_word->raised.word, 1);
}

void mst_death_word_start(mst_death_word *death_word, mst_liveness *liveness, void (*notify)(void *arg),
                          void *arg, _Atomic uint32_t *own_threads)
{
    mst_waiter waiter = { .policy = { .spin_ns = 0, .yield_ns = 1 * MST_NS_PER_MS } };

    *death_word =
        (mst_death_word){ .liveness = liveness, .notify = notify, .arg = arg, .own_threads = own_threads };
    if (mst_load32_rlx(&liveness->detection) > MST_DETECTION_TICK)
        return;
    death_word->started = mst_os_thread_start(&death_word->thread, false, hold, death_word) == 0;
    if (death_word->started)
        mst_wait_until(&waiter, mst_eventcount_parking(&death_word->raised), is_raised, death_word, -1);
    if (!death_word->started || !death_word->up) /* a limit on threads, a sandbox, or no system support */
        mst_store32_rlx(&liveness->detection, MST_DETECTION_TICK);
    else
        mst_add32_sc(own_threads, 1);
}

static void give_order(mst_death_word *death_word, uint32_t order)
{
    mst_or32_sc(&death_word->orders, order);
    mst_wake_watchers(&death_word->orders);
}

void mst_death_word_watch(mst_death_word *death_word)
{
    if (death_word->started && mst_load32_rlx(&death_word->liveness->detection) == MST_DETECTION_FUTEX)
        give_order(death_word, ORDER_WATCH);
}

void mst_death_word_stop(mst_death_word *death_word)
{
    if (!death_word->started)
        return;
    if (death_word->up)
        mst_add32_sc(death_word->own_threads, (uint32_t)-1);
    give_order(death_word, ORDER_STOP);
    if (mst_load32_rlx(&death_word->liveness->detection) !=
        MST_DETECTION_FUTEX) { /* it sleeps on the count of terminations only */
        mst_add32_sc(count_of_terminations(death_word->liveness), 1);
        mst_wake_watchers(count_of_terminations(death_word->liveness));
    }
    pthread_join(death_word->thread, NULL);
    death_word->started = false;
}
