/* The waiting function of wait.h: first looks, spin, yield, park. */
#include "shm/wait/wait.h"

#include <errno.h>

#include "shm/base/atomic.h"
#include "shm/base/chaos.h"
#include "shm/port/os.h"
#include "shm/wait/bed.h"

#define SPIN_NS (50 * 1000LL)
#define YIELD_NS (1 * MST_NS_PER_MS)
#define YIELD_NS_PER_TURN (125 * 1000LL) /* for ranks that share a CPU: each should get a few turns */
#define TICK_FIRST_NS (5 * MST_NS_PER_MS)
#define TICK_LAST_NS (20 * MST_NS_PER_MS)
#define TICK_REST_NS (250 * MST_NS_PER_MS) /* of a rank that waits for work, perhaps for days */
#define REST_AFTER_NS (1 * MST_NS_PER_S)
/* The longest a tick should take, besides what the program computes in it (tick_and_count). Looking for dead
 * ranks takes microseconds of system calls, but on an oversubscribed CPU everything takes long. That is
 * waiting, and counts. */
#define TICK_TAKES_NS (100 * MST_NS_PER_MS)
#define NAP_NS (1 * MST_NS_PER_MS) /* where a change of one of several words would not wake us */
#define FIRST_LOOKS 96             /* some 2 us */
#define FIRST_LOOKS_BARE 32        /* of these, without a pause instruction, which takes some 30 ns */
#define SPINS_PER_LOOK_AT_CLOCK 8
/* A thread with a real-time priority does not let ordinary threads run by yielding. A hand-off takes fewer
 * yields than this, so the check costs nothing where yielding works. */
#define YIELDS_IN_VAIN 16
#define FIRST_YIELDS 4      /* before reading the exact clock, which costs a tenth of a hand-off */
#define SHARED_CPU_YIELDS 2 /* a partner that arrives after so few yields was waiting for our CPU */
#define SPIN_CUT_MAX 7      /* the spin is halved at most so many times */

mst_wait_policy mst_wait_policy_for(int ranks, int cpus)
{
    int64_t turns_ns = (int64_t)(ranks / (cpus > 0 ? cpus : 1)) * YIELD_NS_PER_TURN;

    return (mst_wait_policy){ .spin_ns = ranks > cpus ? 0 : SPIN_NS,
                              .yield_ns = turns_ns > YIELD_NS ? turns_ns : YIELD_NS };
}

int mst_wait_watch(const mst_os_watched_word *words, size_t count, int64_t timeout_ns)
{
    int error = mst_os_park_on_any(words, count, timeout_ns);

    if (error == -ENOSYS)
        mst_os_park(words[0].word, words[0].seen, timeout_ns ? timeout_ns : MST_NS_PER_S);
    else if (error) /* for want of memory, perhaps: it may be better a moment later */
        mst_os_park(words[0].word, words[0].seen, NAP_NS);
    return error;
}

static bool poisoned(const mst_waiter *waiter)
{
    return waiter->poison && mst_load64_acq(waiter->poison) != waiter->no_poison; /* E7 */
}

typedef struct attempt {
    mst_waiter *waiter;
    bool (*ready)(const void *arg);
    const void *arg;
    mst_wait_result result;
} attempt;

/* `ready` is checked first: an operation that all ranks entered succeeds even if one died right after. The
 * peer may have arrived and died between the two checks, hence the second check of `ready`. */
static bool settled(attempt *attempt)
{
    if (attempt->ready(attempt->arg))
        attempt->result = MST_WAIT_READY;
    else if (poisoned(attempt->waiter))
        attempt->result = attempt->ready(attempt->arg) ? MST_WAIT_READY : MST_WAIT_POISONED;
    else
        return false;
    return true;
}

/* Makes progress of what else is under way. */
static bool make_progress(const mst_waiter *waiter, bool insists)
{
    return !waiter->background || mst_background_progress(waiter->background, insists);
}

static bool settled_in_passing(attempt *attempt)
{
    make_progress(attempt->waiter, false);
    return settled(attempt);
}

/* A first look, for the time of a few line transfers, before waking anyone or reading the clock: a wake must
 * wait until our own store is visible: time that is better spent on loading the partner's line. */
static bool look_first(attempt *attempt)
{
    if (!attempt->waiter->policy.spin_ns)
        return false;
    for (int looks = 0; looks < FIRST_LOOKS; looks++) {
        if (settled(attempt))
            return true;
        if (looks >= FIRST_LOOKS_BARE)
            mst_os_relax();
    }
    return false;
}

static bool spin_some(attempt *attempt, int64_t began_ns)
{
    mst_waiter *waiter = attempt->waiter;
    int64_t spin_ns = waiter->policy.spin_ns >> waiter->spin_cut;

    if (!waiter->policy.spin_ns)
        return false;
    do {
        for (int i = 0; i < SPINS_PER_LOOK_AT_CLOCK; i++) {
            if (settled(attempt)) {
                waiter->spin_cut -= waiter->spin_cut > 0;
                return true;
            }
            mst_os_relax();
        }
        if (settled_in_passing(attempt))
            return true;
    } while (mst_os_now_ns() - began_ns < spin_ns);
    return false;
}

/* ---- other programs and ranks on our CPU ---- */

/* Publishes the CPU that this rank waits on, and looks whether a rank that it waits for was last there. */
static bool is_beside(const mst_waiter *waiter, int peer)
{
    const mst_watch *watch = &waiter->watch;

    if (!waiter->place || !watch->is_beside)
        return false;
    uint32_t cpu = mst_place_publish(waiter->place);
    if (!cpu || !watch->is_beside(watch->arg, peer, cpu))
        return false;
    mst_place_count_beside(waiter->place);
    return true;
}

/* Whether to park in place of yielding. Ranks that outnumber the CPUs had better yield to each other. */
static bool should_park(const mst_waiter *waiter, int64_t now_ns, bool beside)
{
    if (!waiter->place || (!waiter->policy.spin_ns && waiter->heavy))
        return false;
    return mst_place_is_contended(waiter->place, now_ns) ||
           (beside && waiter->policy.spin_ns && mst_place_should_part(waiter->place));
}

/* Whether a yield was another program's time slice: if it was long, and not that of the partner, which has
 * arrived. Where ranks outnumber CPUs others of them may have worked as long, which place.h finds out. */
static bool was_a_slice(const attempt *attempt, int64_t took_ns, bool beside)
{
    if (!attempt->waiter->policy.spin_ns)
        return took_ns >= MST_LONG_TURN_NS;
    return took_ns >= MST_LONG_YIELD_NS && !(beside && attempt->ready(attempt->arg));
}

typedef struct yields {
    int count;
    bool lost_slice; /* in one of them, at least */
} yields;

static bool yield_until_parking(attempt *attempt, bool beside, yields *yields)
{
    mst_waiter *waiter = attempt->waiter;
    int64_t now_ns = mst_os_now_ns(), until_ns = now_ns + waiter->policy.yield_ns;

    for (;; yields->count++) {
        if (settled_in_passing(attempt)) {
            /* The partner arrived as soon as it got our CPU: spinning had only kept it from running. */
            if (yields->count > 0 && yields->count <= SHARED_CPU_YIELDS && waiter->spin_cut < SPIN_CUT_MAX)
                waiter->spin_cut++;
            return true;
        }
        if (now_ns >= until_ns || should_park(waiter, now_ns, beside) ||
            (yields->count == YIELDS_IN_VAIN && !mst_os_yields_to_all()))
            return false;
        int64_t began_ns = mst_os_now_ns(); /* and not before our own progress, which may take as long */
        mst_os_yield();
        now_ns = mst_os_now_ns();
        yields->lost_slice |= waiter->place && was_a_slice(attempt, now_ns - began_ns, beside);
        if (yields->lost_slice && waiter->policy.spin_ns)
            mst_place_note_contention(waiter->place, now_ns);
    }
}

static bool yield_some(attempt *attempt, bool beside)
{
    const mst_waiter *waiter = attempt->waiter;
    yields yields = { 0, false };

    bool done = yield_until_parking(attempt, beside, &yields);
    if (!waiter->policy.spin_ns && waiter->place && !waiter->heavy && yields.count > 0)
        mst_place_note_yields(waiter->place, yields.lost_slice);
    return done;
}

/* Where ranks outnumber CPUs, the partner usually arrives as soon as it gets our CPU. If the coarse clock
 * says that it computed for long, or other programs did, the next waits find out which, by the exact clock.
 */
static bool yield_first(attempt *attempt)
{
    mst_waiter *waiter = attempt->waiter;
    bool learns = waiter->place && !waiter->heavy, done = false;

    if (waiter->policy.spin_ns || (learns && mst_place_is_suspect(waiter->place)))
        return false;
    int64_t began_ns = mst_os_coarse_ns();
    for (int yields = 0; yields < FIRST_YIELDS && !done; yields++) {
        mst_os_yield();
        done = settled(attempt);
    }
    int64_t took_ns = mst_os_coarse_ns() - began_ns;
    if (took_ns > 0 && learns)
        mst_place_suspect(waiter->place);
    waiter->waited_ns += took_ns;
    return done;
}

/* A peer that has left has stored all it ever will: one more look decides whether that was enough. */
static bool tick(attempt *attempt, int peer, mst_slept slept)
{
    const mst_watch *watch = &attempt->waiter->watch;

    if (!watch->tick || !watch->tick(watch->arg, peer, slept))
        return false;
    if (settled(attempt))
        return true;
    if (watch->lost)
        watch->lost(watch->arg, peer);
    return false;
}

/* The program may take long to say whether to go on: in which another of its threads computes and has an
 * interpreter's lock, for example. While it computes it is not stopped, so that time counts. */
static bool tick_and_count(attempt *attempt, int peer, mst_slept slept)
{
    mst_deadline *deadline = &attempt->waiter->deadline;
    int64_t ran_ns = deadline->limit_ns ? mst_os_ran_ns() : 0;

    if (tick(attempt, peer, slept))
        return true;
    if (deadline->limit_ns)
        deadline->expected_ns += mst_os_ran_ns() - ran_ns;
    return false;
}

static int64_t next_tick_in(const mst_watch *watch, int64_t tick_ns, int64_t slept_ns)
{
    if (slept_ns >= REST_AFTER_NS && watch->may_rest && watch->may_rest(watch->arg))
        return TICK_REST_NS;
    return tick_ns * 2 < TICK_LAST_NS ? tick_ns * 2 : TICK_LAST_NS;
}

/* Counts the waited time, and reduces *next_ns, the time until the next tick, to what is left of the
 * deadline; true: nothing is left. */
static bool count_down(mst_deadline *deadline, int64_t now_ns, int64_t *next_ns)
{
    if (deadline->limit_ns == 0)
        return false;
    mst_deadline_count(deadline, now_ns, *next_ns > 0 ? *next_ns : TICK_TAKES_NS);
    int64_t left_ns = mst_deadline_left_ns(deadline);
    if (left_ns < *next_ns)
        *next_ns = left_ns;
    return left_ns == 0;
}

/* ---- sleeping ---- */

static void park(const mst_bed *bed, bool naps, int64_t timeout_ns)
{
    int64_t nap_ns = timeout_ns < NAP_NS ? timeout_ns : NAP_NS;

    if (bed->count == 1)
        mst_os_park(bed->words[0].word, bed->words[0].seen, naps ? nap_ns : timeout_ns);
    else if (mst_os_park_on_any(bed->words, bed->count, naps ? nap_ns : timeout_ns) != 0)
        mst_os_park(bed->words[0].word, bed->words[0].seen, nap_ns);
}

/* The same before a sleep. False: what is under way is left to another thread, and the bed has no word by
 * which that one would wake us. */
static bool look_before_sleep(attempt *attempt, const mst_bed *bed, bool *done)
{
    bool all = make_progress(attempt->waiter, true);

    *done = settled(attempt);
    return all || bed->in_background;
}

/* A sleeper without the background's word does not look after it: the progress thread, if there is one, does.
 */
static void sleep_in(const mst_bed *bed, mst_waiter *waiter, int64_t timeout_ns)
{
    mst_background *background = waiter->background;
    bool away = background && !bed->in_background;

    if (away)
        mst_background_leave(background);
    park(bed, waiter->naps, timeout_ns);
    if (away)
        mst_background_enter(background);
}

/* Sleeps on the word, and looks for dead ranks at every tick. */
static void sleep_on(attempt *attempt, mst_parking parking, int peer)
{
    mst_waiter *waiter = attempt->waiter;
    mst_bed bed;
    int64_t tick_ns = TICK_FIRST_NS;
    mst_slept slept = { 0 };
    int64_t began_ns = mst_os_now_ns(), next_tick_ns = began_ns + tick_ns;
    bool ticked = false, done;

    mst_bed_make(&bed, parking, waiter->more, waiter->more_count);
    for (;;) {
        mst_bed_read(&bed, waiter->background, waiter->interruption);
        bool wakeable = look_before_sleep(attempt, &bed, &done);
        if (done)
            break;
        int64_t now_ns = mst_os_now_ns();
        int64_t left_ns = next_tick_ns - now_ns;
        if (count_down(&waiter->deadline, now_ns, &left_ns)) {
            attempt->result = MST_WAIT_TIMED_OUT;
            break;
        }
        if (now_ns >= next_tick_ns) {
            ticked = true;
            slept = (mst_slept){ .ns = now_ns - began_ns, .before_ns = slept.ns };
            if (tick_and_count(attempt, peer, slept))
                break;
            tick_ns = next_tick_in(&waiter->watch, tick_ns, slept.ns);
            next_tick_ns = mst_os_now_ns() + tick_ns; /* a sleep follows each tick, however long ticks take */
            continue;
        }
        if (wakeable)
            sleep_in(&bed, waiter, left_ns);
    }
    mst_bed_leave(&bed);
    if (ticked && waiter->watch.woke)
        waiter->watch.woke(waiter->watch.arg);
}

mst_wait_result mst_wait_until(mst_waiter *waiter, mst_parking parking, bool (*ready)(const void *arg),
                               const void *arg, int peer)
{
    attempt attempt = { waiter, ready, arg, MST_WAIT_READY };

    mst_chaos();
    if (look_first(&attempt))
        return attempt.result;
    mst_wait_settle(waiter);
    if (settled(&attempt) || yield_first(&attempt))
        return attempt.result;
    int64_t began_ns = mst_os_now_ns();
    mst_deadline_resume(&waiter->deadline, began_ns, waiter->policy.spin_ns + waiter->policy.yield_ns);
    if (waiter->background)
        mst_background_enter(waiter->background);
    bool beside = is_beside(waiter, peer);
    if ((beside || !spin_some(&attempt, began_ns)) && !yield_some(&attempt, beside))
        sleep_on(&attempt, parking, peer);
    if (waiter->background)
        mst_background_leave(waiter->background);
    int64_t ended_ns = mst_os_now_ns();
    mst_deadline_count(&waiter->deadline, ended_ns, 0);
    waiter->waited_ns += ended_ns - began_ns;
    return attempt.result;
}

void mst_wait_nap(mst_deadline *deadline, int64_t ns)
{
    _Atomic uint32_t nobody = 0;

    mst_deadline_resume(deadline, mst_os_now_ns(), ns);
    mst_os_park(&nobody, 0, ns);
    mst_deadline_count(deadline, mst_os_now_ns(), 0);
}
