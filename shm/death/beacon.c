/* The watching thread of beacon.h. */
#include "shm/death/beacon.h"

#include <errno.h>

#include "shm/base/fault.h"
#include "shm/port/os.h"
#include "src/pure/atomic.h"

#define LOOK_AGAIN_NS 200000LL /* while a process whose beacon fell has not said how it ends */
#define LOOK_AT_OURSELVES_NS (2 * MST_NS_PER_S)

enum { ORDER_WATCH = 1, ORDER_STOP = 2 };

static _Atomic uint32_t *own_word(const mst_liveness *liveness)
{
    return &mst_layout_entry(&liveness->geometry, liveness->self)->beacon;
}

static _Atomic uint32_t *count_of_endings(const mst_liveness *liveness)
{
    return &mst_layout_header(&liveness->geometry)->endings;
}

/* ---- in the thread ---- */

/* What the thread sleeps on: its orders, the count of endings, and beacons. They are read before they are
 * acted upon, so that a change in between ends the sleep at once. */
static size_t list_words(mst_beacon *beacon, mst_os_watched_word *words)
{
    const mst_liveness *liveness = beacon->liveness;
    uint32_t seats = liveness->geometry.seats;
    _Atomic uint32_t *endings = count_of_endings(liveness);
    size_t count = 2;

    words[0] = (mst_os_watched_word){ endings, mst_load32_acq(endings) }; /* E8 */
    words[1] = (mst_os_watched_word){ &beacon->orders, mst_load32_acq(&beacon->orders) };
    if (!(words[1].seen & ORDER_WATCH))
        return count;
    for (uint32_t i = 1; i < seats && count < MST_OS_WATCHED_MAX; i++) {
        _Atomic uint32_t *word = &mst_layout_entry(&liveness->geometry, (liveness->self + i) % seats)->beacon;
        uint32_t seen = mst_load32_acq(word);

        if (seen != 0 && !mst_os_beacon_fell(seen))
            words[count++] = (mst_os_watched_word){ word, seen };
    }
    return count;
}

/* A program whose threads have all ended is over: it must not wait for this one, nor its peers for it. */
static bool is_left_alone(mst_beacon *beacon)
{
    if (!mst_os_thread_is_last())
        return false;
    beacon->started = false; /* for the program's handlers of its end: somebody else waits for this thread */
    mst_os_thread_end_after(&beacon->thread);
    return true;
}

static void watch_until_stopped(mst_beacon *beacon)
{
    mst_os_watched_word words[MST_OS_WATCHED_MAX];
    uint32_t endings_seen = 0, orders_seen = 0;

    for (;;) {
        size_t count = list_words(beacon, words);
        uint32_t orders = words[1].seen;
        bool again = (orders & ORDER_WATCH) && mst_liveness_scan_beacons(beacon->liveness);
        uint32_t endings = mst_liveness_count(&beacon->liveness->geometry);

        if (endings != endings_seen || orders != orders_seen) {
            mst_fault_point("beacon.notify");
            beacon->notify(beacon->arg);
        }
        endings_seen = endings;
        orders_seen = orders;
        if (orders & ORDER_STOP) /* whoever this thread was woken for has been told of */
            return;
        if (endings != words[0].seen)
            continue;
        int64_t slept_from_ns = mst_os_now_ns();
        if (mst_wait_watch(words, count, again ? LOOK_AGAIN_NS : LOOK_AT_OURSELVES_NS) == -ENOSYS)
            mst_store32_rlx(&beacon->liveness->rung, MST_RUNG_TICK);
        if (mst_os_now_ns() - slept_from_ns >= LOOK_AT_OURSELVES_NS && is_left_alone(beacon))
            return;
    }
}

static void *hold(void *arg)
{
    mst_beacon *beacon = arg;
    _Atomic uint32_t *word = own_word(beacon->liveness);

    mst_os_thread_name("muster-beacon"); /* muster inspect --stacks leaves it out by this */
    beacon->up = mst_os_beacon_raise(&beacon->held, word) == 0;
    bool up = beacon->up;
    mst_fault_point("beacon.raised");
    mst_eventcount_advance(&beacon->raised);
    if (up) {
        watch_until_stopped(beacon);
        mst_fault_point("beacon.lower");
        mst_os_beacon_lower(&beacon->held, word);
        mst_fault_point("beacon.lowered");
    }
    return NULL;
}

/* ---- in the rank ---- */

static bool is_raised(const void *arg)
{
    const mst_beacon *beacon = arg;

    return mst_count_reached(&beacon->raised.word, 1);
}

void mst_beacon_start(mst_beacon *beacon, mst_liveness *liveness, void (*notify)(void *arg), void *arg)
{
    mst_waiter waiter = { .policy = { .spin_ns = 0, .yield_ns = 1 * MST_NS_PER_MS } };

    *beacon = (mst_beacon){ .liveness = liveness, .notify = notify, .arg = arg };
    if (mst_load32_rlx(&liveness->rung) > MST_RUNG_TICK)
        return;
    beacon->started = mst_os_thread_start(&beacon->thread, hold, beacon) == 0;
    if (beacon->started)
        mst_wait_until(&waiter, mst_eventcount_parking(&beacon->raised), is_raised, beacon, -1);
    if (!beacon->started || !beacon->up) /* a limit on threads, a sandbox, a system without */
        mst_store32_rlx(&liveness->rung, MST_RUNG_TICK);
}

static void give_order(mst_beacon *beacon, uint32_t order)
{
    mst_or32_sc(&beacon->orders, order);
    mst_wake_watchers(&beacon->orders);
}

void mst_beacon_watch(mst_beacon *beacon)
{
    if (beacon->started && mst_load32_rlx(&beacon->liveness->rung) == MST_RUNG_BEACON)
        give_order(beacon, ORDER_WATCH);
}

void mst_beacon_stop(mst_beacon *beacon)
{
    if (!beacon->started)
        return;
    give_order(beacon, ORDER_STOP);
    if (mst_load32_rlx(&beacon->liveness->rung) != MST_RUNG_BEACON) { /* it sleeps on the endings alone */
        mst_add32_sc(count_of_endings(beacon->liveness), 1);
        mst_wake_watchers(count_of_endings(beacon->liveness));
    }
    pthread_join(beacon->thread, NULL);
    beacon->started = false;
}
