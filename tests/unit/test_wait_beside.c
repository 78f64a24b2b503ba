/*
 * The waiting function beside other programs: when a rank spins, yields, and parks, on a CPU that others
 * want.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include "shm/wait/wait.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/base/atomic.h"
#include "shm/port/os.h"
#include "tests/harness/ranks.h"

#define FOR_EVER_NS (3600 * MST_NS_PER_S)
#define BUSY_THREADS 4 /* so that a yield is longer than any time slice */

/* A rank that waits for another one, rank 3. */
typedef struct contention {
    mst_eventcount event;
    mst_waiter waiter;
    mst_place place;
    _Atomic uint32_t cpu;
    bool beside;
    uint32_t asked;       /* whether the partner is beside */
    uint32_t looks_awake; /* after that */
    pthread_t busy_threads[BUSY_THREADS];
    _Atomic uint32_t over;
} contention;

static bool one_has_come(const void *arg)
{
    return mst_count_reached(&((const contention *)arg)->event.word, 1);
}

static mst_wait_result wait_until(contention *contention, bool (*ready)(const void *arg))
{
    return mst_wait_until(&contention->waiter, mst_eventcount_parking(&contention->event), ready, contention,
                          3);
}

static bool tell_beside(void *arg, int peer, uint32_t cpu)
{
    contention *contention = arg;

    ck_assert_int_eq(peer, 3);
    ck_assert_uint_eq(mst_load32_rlx(&contention->cpu), cpu);
    contention->asked++;
    return contention->beside;
}

/* Comes when the waiter sleeps, which is when it ticks. */
static bool come_at_a_tick(void *arg, int peer, mst_slept slept)
{
    contention *contention = arg;

    (void)peer, (void)slept;
    mst_eventcount_advance(&contention->event);
    return false;
}

static void set_up_contention(contention *contention)
{
    memset(contention, 0, sizeof *contention);
    contention->place.cpu = &contention->cpu;
    contention->waiter.policy = (mst_wait_policy){ .spin_ns = 50000, .yield_ns = FOR_EVER_NS };
    contention->waiter.place = &contention->place;
    contention->waiter.watch =
        (mst_watch){ .tick = come_at_a_tick, .arg = contention, .is_beside = tell_beside };
}

START_TEST(test_a_rank_on_a_contended_cpu_parks)
{
    contention contention;

    set_up_contention(&contention);
    mst_store64_rlx(&contention.place.contended_until_ns, (uint64_t)(mst_os_now_ns() + FOR_EVER_NS));
    ck_assert_int_eq(wait_until(&contention, one_has_come), MST_WAIT_READY);
    ck_assert_uint_eq(contention.asked, 1);
}
END_TEST

/* It would spin for ever. */
START_TEST(test_it_does_not_spin_beside_its_partner)
{
    contention contention;

    set_up_contention(&contention);
    contention.beside = true;
    contention.waiter.policy = (mst_wait_policy){ .spin_ns = FOR_EVER_NS, .yield_ns = 0 };
    ck_assert_int_eq(wait_until(&contention, one_has_come), MST_WAIT_READY);
}
END_TEST

/* The partner comes with the third look of the yields, or as the waiter sleeps. */
static bool is_looked_at(const void *arg)
{
    contention *contention = (struct contention *)(uintptr_t)arg;
    bool asleep = mst_load32_acq(&contention->event.sleepers);

    contention->looks_awake += contention->asked && !asleep;
    return contention->looks_awake == 3 || asleep;
}

START_TEST(test_it_yields_to_a_partner_beside_it)
{
    contention contention;

    set_up_contention(&contention);
    contention.beside = true;
    ck_assert_int_eq(wait_until(&contention, is_looked_at), MST_WAIT_READY);
    /* A yield during which another program had the CPU for long ends in sleep, too. */
    bool contended = mst_load64_rlx(&contention.place.contended_until_ns) != 0;
    ck_assert_msg(contention.looks_awake == 3 || contended, "it slept after %u looks",
                  contention.looks_awake);
}
END_TEST

/* It would yield for ever, which keeps the two on one CPU. */
START_TEST(test_it_sleeps_now_and_then_beside_its_partner)
{
    contention contention;

    set_up_contention(&contention);
    contention.beside = true;
    mst_store32_rlx(&contention.place.waits_beside, UINT32_MAX);
    ck_assert_int_eq(wait_until(&contention, one_has_come), MST_WAIT_READY);
}
END_TEST

static void stay_on_this_cpu(void)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(sched_getcpu(), &cpus);
    ck_assert_int_eq(sched_setaffinity(0, sizeof cpus, &cpus), 0);
}

static void *keep_busy(void *arg)
{
    contention *contention = arg;

    while (!mst_load32_acq(&contention->over))
        ;
    return NULL;
}

static void begin_to_be_busy(contention *contention)
{
    stay_on_this_cpu();
    for (int i = 0; i < BUSY_THREADS; i++)
        ck_assert_int_eq(pthread_create(&contention->busy_threads[i], NULL, keep_busy, contention), 0);
}

static void end_to_be_busy(contention *contention)
{
    mst_store32_rel(&contention->over, 1);
    for (int i = 0; i < BUSY_THREADS; i++)
        pthread_join(contention->busy_threads[i], NULL);
}

START_TEST(test_a_long_yield_tells_that_the_cpu_is_contended)
{
    contention contention;

    set_up_contention(&contention);
    begin_to_be_busy(&contention);
    ck_assert_int_eq(wait_until(&contention, one_has_come), MST_WAIT_READY); /* it would yield for ever */
    end_to_be_busy(&contention);
    ck_assert_uint_ne(mst_load64_rlx(&contention.place.contended_until_ns), 0);
}
END_TEST

/* The library's yields: at once, where a test asks for that. */
static bool yields_at_once;

int sched_yield(void)
{
    return yields_at_once ? 0 : (int)syscall(SYS_sched_yield);
}

/* A look that moves what else is under way, which takes as long as a time slice. */
static bool computes_at_each_look(const void *arg)
{
    contention *contention = (struct contention *)(uintptr_t)arg;
    int64_t until_ns = mst_os_now_ns() + 2 * MST_LONG_YIELD_NS;

    while (contention->asked && mst_os_now_ns() < until_ns)
        continue;
    return is_looked_at(arg);
}

START_TEST(test_own_work_is_no_time_slice)
{
    contention contention;
    int contended = 0;

    yields_at_once = true;
    for (int i = 0; i < 20; i++) {
        set_up_contention(&contention);
        contention.waiter.policy.spin_ns = 1;
        ck_assert_int_eq(wait_until(&contention, computes_at_each_look), MST_WAIT_READY);
        contended += mst_load64_rlx(&contention.place.contended_until_ns) != 0;
    }
    yields_at_once = false;
    ck_assert_int_lt(contended, 10); /* as we may lose the CPU between two looks at the clock */
}
END_TEST

/* ---- beside other programs, where ranks outnumber CPUs ---- */

static void set_up_oversubscribed(contention *contention)
{
    set_up_contention(contention);
    contention->waiter.policy = (mst_wait_policy){ .spin_ns = 0, .yield_ns = FOR_EVER_NS };
}

/* It would yield for ever. */
START_TEST(test_ranks_that_share_a_contended_cpu_park)
{
    contention contention;

    set_up_oversubscribed(&contention);
    mst_store64_rlx(&contention.place.contended_until_ns, (uint64_t)(mst_os_now_ns() + FOR_EVER_NS));
    ck_assert_int_eq(wait_until(&contention, one_has_come), MST_WAIT_READY);
}
END_TEST

/* Others may work for long, and then come to us sooner if we yield. */
START_TEST(test_they_yield_where_the_others_may_work_for_long)
{
    contention contention;

    set_up_oversubscribed(&contention);
    contention.waiter.heavy = true;
    mst_store64_rlx(&contention.place.contended_until_ns, (uint64_t)(mst_os_now_ns() + FOR_EVER_NS));
    ck_assert_int_eq(wait_until(&contention, is_looked_at), MST_WAIT_READY);
    ck_assert_uint_eq(contention.looks_awake, 3);
}
END_TEST

static bool comes_at_each_third_look(const void *arg)
{
    contention *contention = (struct contention *)(uintptr_t)arg;

    return ++contention->looks_awake % 3 == 0;
}

/* The partner comes while the rank yields without a clock; waits after that find out what the yields are. */
START_TEST(test_they_learn_that_the_cpu_is_contended)
{
    contention contention;

    set_up_oversubscribed(&contention);
    begin_to_be_busy(&contention);
    for (int i = 0; i < 200 && mst_load64_rlx(&contention.place.contended_until_ns) == 0; i++)
        ck_assert_int_eq(wait_until(&contention, comes_at_each_third_look), MST_WAIT_READY);
    end_to_be_busy(&contention);
    ck_assert_uint_ne(mst_load64_rlx(&contention.place.contended_until_ns), 0);
}
END_TEST

/* Others of the job compute between bursts of calls: one long wait, then short ones. */
START_TEST(test_one_long_wait_tells_nothing)
{
    mst_place place = { .cpu = NULL };

    for (int burst = 0; burst < 10; burst++) {
        mst_place_suspect(&place);
        mst_place_note_yields(&place, true);
        mst_place_note_yields(&place, false);
        ck_assert(!mst_place_is_suspect(&place));
    }
    ck_assert_uint_eq(mst_load64_rlx(&place.contended_until_ns), 0);
    mst_place_suspect(&place);
    mst_place_note_yields(&place, true);
    mst_place_note_yields(&place, true);
    ck_assert(mst_place_is_contended(&place, mst_os_now_ns()));
    /* And is to be seen once more, after that time. */
    mst_store64_rlx(&place.contended_until_ns, 0);
    mst_place_note_yields(&place, true);
    ck_assert(!mst_place_is_contended(&place, mst_os_now_ns()));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wait beside other programs");
    TCase *tests = tcase_create(mst_os_park_name());

    tcase_add_test(tests, test_a_rank_on_a_contended_cpu_parks);
    tcase_add_test(tests, test_it_does_not_spin_beside_its_partner);
    tcase_add_test(tests, test_it_yields_to_a_partner_beside_it);
    tcase_add_test(tests, test_it_sleeps_now_and_then_beside_its_partner);
    tcase_add_test(tests, test_a_long_yield_tells_that_the_cpu_is_contended);
    tcase_add_test(tests, test_own_work_is_no_time_slice);
    tcase_add_test(tests, test_ranks_that_share_a_contended_cpu_park);
    tcase_add_test(tests, test_they_yield_where_the_others_may_work_for_long);
    tcase_add_test(tests, test_they_learn_that_the_cpu_is_contended);
    tcase_add_test(tests, test_one_long_wait_tells_nothing);
    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
