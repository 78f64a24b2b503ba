/*
 * The waiting function alone: ready wins over poison, poison ends a sleep at once, a deadline ends it,
 * the tick comes while asleep, a raise wakes a sleeper; whichever way of parking was built in.
 */
#include "shm/wait/wait.h"

#include <pthread.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/port/os.h"
#include "tests/harness/ranks.h"

typedef struct bench {
    mst_eventcount event;
    _Atomic uint64_t poison;
    _Atomic uint32_t ticks;
    int64_t slept_ns; /* at the last one */
    mst_wait_result result;
    mst_waiter waiter;
} bench;

static bool one_has_come(const void *arg)
{
    return mst_count_reached(&((const bench *)arg)->event.word, 1);
}

static bool count_tick(void *arg, int peer, mst_slept slept)
{
    bench *bench = arg;

    ck_assert_int_gt(slept.ns, slept.before_ns);
    ck_assert_int_eq(slept.before_ns, bench->slept_ns);
    bench->slept_ns = slept.ns;
    ck_assert_int_eq(peer, 3);
    mst_add32_sc(&bench->ticks, 1);
    return false;
}

static void set_up(bench *bench)
{
    memset(bench, 0, sizeof *bench);
    bench->waiter = (mst_waiter){ .policy = { 0, 100000 },
                                  .poison = &bench->poison,
                                  .watch = { .tick = count_tick, .arg = bench } };
}

static void *wait_for_one(void *arg)
{
    bench *bench = arg;

    bench->result =
        mst_wait_until(&bench->waiter, mst_eventcount_parking(&bench->event), one_has_come, bench, 3);
    return NULL;
}

/* Starts a waiter and returns once it has announced that it sleeps. */
static pthread_t start_sleeper(bench *bench)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_one, bench), 0);
    while (mst_load32_acq(&bench->event.sleepers) == 0)
        mst_os_yield();
    return thread;
}

START_TEST(test_ready_wins_over_poison)
{
    bench bench;

    set_up(&bench);
    mst_eventcount_advance(&bench.event);
    mst_store64_rel(&bench.poison, 1);
    wait_for_one(&bench);
    ck_assert_int_eq(bench.result, MST_WAIT_READY);
}
END_TEST

/* It comes, and then its bringer dies, between the two looks. */
static bool comes_at_the_second_look(const void *arg)
{
    const bench *bench = arg;
    bool come = mst_load64_acq(&bench->poison) != 0;

    mst_store64_rel(&((struct bench *)(uintptr_t)bench)->poison, 1);
    return come;
}

START_TEST(test_what_came_before_poison_counts)
{
    bench bench;

    set_up(&bench);
    ck_assert_int_eq(mst_wait_until(&bench.waiter, mst_eventcount_parking(&bench.event),
                                    comes_at_the_second_look, &bench, 3),
                     MST_WAIT_READY);
}
END_TEST

START_TEST(test_a_raise_wakes)
{
    for (int i = 0; i < 300; i++) {
        bench bench;

        set_up(&bench);
        pthread_t thread = start_sleeper(&bench);
        mst_eventcount_advance(&bench.event);
        pthread_join(thread, NULL);
        ck_assert_int_eq(bench.result, MST_WAIT_READY);
        ck_assert_uint_eq(mst_load32_acq(&bench.event.sleepers), 0);
    }
}
END_TEST

START_TEST(test_an_alarm_wakes_into_poison)
{
    for (int i = 0; i < 300; i++) {
        bench bench;

        set_up(&bench);
        pthread_t thread = start_sleeper(&bench);
        mst_store64_rel(&bench.poison, 1);
        mst_alarm(mst_eventcount_parking(&bench.event));
        pthread_join(thread, NULL);
        ck_assert_int_eq(bench.result, MST_WAIT_POISONED);
        ck_assert_uint_eq(mst_load32_acq(&bench.event.word) & 1, 1); /* nobody can fall asleep on it now */
    }
}
END_TEST

#define MEETINGS 1000000 /* one in some 10^5 shows a waker that does not look as it must */
#define MEETINGS_END_NS                                                                                      \
    (10 * MST_NS_PER_S) /* where each takes turns with other processes, all take an hour */

/* A waker and a sleeper who come at the same moment: one of them sees the other (E9). */
typedef struct meeting {
    _Alignas(MST_LINE) _Atomic uint32_t word;
    _Alignas(MST_LINE) _Atomic uint32_t sleepers;
    _Alignas(MST_LINE) _Atomic uint32_t turn[2];
    _Atomic uint32_t wanted;
    uint32_t seen[MEETINGS];      /* of the word, by the sleeper */
    unsigned char woke[MEETINGS]; /* the waker has seen the sleeper */
} meeting;

static uint32_t meetings(void)
{
    return under_thread_sanitizer() || under_address_sanitizer() ? MEETINGS / 50 : MEETINGS;
}

static _Thread_local bool woken;

/* What mst_wake does to those whom it sees: see tests/CMakeLists.txt. */
void __wrap_mst_os_unpark_all(const _Atomic uint32_t *word);
void __real_mst_os_unpark_all(const _Atomic uint32_t *word);
void __wrap_mst_os_unpark_all(const _Atomic uint32_t *word)
{
    woken = true;
    __real_mst_os_unpark_all(word);
}

static void meet(meeting *meeting, int who, uint32_t turn)
{
    mst_store32_rel(&meeting->turn[who], turn);
    for (int looks = 0; (int32_t)(mst_load32_acq(&meeting->turn[1 - who]) - turn) < 0; looks++)
        if (looks > 2000) /* else they would not come at the same moment */
            mst_os_yield();
}

static void *fall_asleep(void *arg)
{
    meeting *meeting = arg;

    for (uint32_t i = 0; i < mst_load32_acq(&meeting->wanted); i++) {
        mst_load32_acq(&meeting->word); /* it is in this cache now, as it was */
        meet(meeting, 1, 2 * i + 1);
        mst_add32_sc(&meeting->sleepers, 1);
        meeting->seen[i] = mst_load32_sc(&meeting->word);
        meet(meeting, 1, 2 * i + 2);
    }
    return NULL;
}

START_TEST(test_a_sleeper_and_its_waker_see_each_other)
{
    meeting *meeting = shared_page(sizeof *meeting);
    int64_t end_ns = mst_os_now_ns() + MEETINGS_END_NS;
    pthread_t thread;

    mst_store32_rel(&meeting->wanted, meetings());
    ck_assert_int_eq(pthread_create(&thread, NULL, fall_asleep, meeting), 0);
    for (uint32_t i = 0; i < mst_load32_acq(&meeting->wanted); i++) {
        mst_store32_rel(&meeting->sleepers, 0);
        meet(meeting, 0, 2 * i + 1);
        mst_store32_rel(&meeting->word, i + 1);
        woken = false;
        mst_wake((mst_parking){ &meeting->word, &meeting->sleepers });
        meeting->woke[i] = woken;
        if (i % 1000 == 0 && mst_os_now_ns() > end_ns)
            mst_store32_rel(&meeting->wanted, i + 1);
        meet(meeting, 0, 2 * i + 2);
    }
    pthread_join(thread, NULL);
    for (uint32_t i = 0; i < mst_load32_acq(&meeting->wanted); i++)
        ck_assert_msg(meeting->woke[i] || meeting->seen[i] == i + 1, "meeting %u: a sleeper was missed", i);
    shared_page_free(meeting, sizeof *meeting);
}
END_TEST

START_TEST(test_a_deadline_ends_and_ticks_come)
{
    bench bench;

    set_up(&bench);
    bench.waiter.deadline.limit_ns = 100 * MST_NS_PER_MS;
    int64_t began_ns = mst_os_now_ns();
    wait_for_one(&bench);
    ck_assert_int_eq(bench.result, MST_WAIT_TIMED_OUT);
    ck_assert_int_ge(mst_os_now_ns() - began_ns, 100 * MST_NS_PER_MS); /* never early */
    ck_assert_uint_ge(mst_load32_acq(&bench.ticks), 1);
}
END_TEST

/* As where the program takes long to say whether to go on, or the waiter hardly gets a CPU. */
static bool tick_slowly(void *arg, int peer, mst_slept slept)
{
    bench *bench = arg;

    count_tick(arg, peer, slept);
    pass_time_ms(60);
    if (mst_load32_acq(&bench->ticks) >= 50)
        mst_store32_rel(&bench->event.word, 2);
    return false;
}

/* Each tick takes longer than the next one is away, and than a short limit may be late. */
START_TEST(test_a_deadline_ends_a_wait_whose_ticks_take_long)
{
    bench bench;

    set_up(&bench);
    bench.waiter.deadline.limit_ns = 100 * MST_NS_PER_MS;
    bench.waiter.watch.tick = tick_slowly;
    wait_for_one(&bench);
    ck_assert_int_eq(bench.result, MST_WAIT_TIMED_OUT);
}
END_TEST

/* As where another thread of the program computes, and has an interpreter's lock that the tick needs. */
static bool tick_while_computing(void *arg, int peer, mst_slept slept)
{
    bench *bench = arg;
    int64_t until_ns = mst_os_ran_ns() + 250 * MST_NS_PER_MS;

    count_tick(arg, peer, slept);
    while (mst_os_ran_ns() < until_ns)
        continue;
    if (mst_load32_acq(&bench->ticks) >= 50)
        mst_store32_rel(&bench->event.word, 2);
    return false;
}

/* Twice the limit ends it in any case, as gaps do not; as gaps these ticks would be 100 ms each. */
START_TEST(test_what_the_program_computes_in_a_tick_counts)
{
    bench bench;

    set_up(&bench);
    bench.waiter.deadline.limit_ns = 500 * MST_NS_PER_MS;
    bench.waiter.watch.tick = tick_while_computing;
    wait_for_one(&bench);
    ck_assert_int_eq(bench.result, MST_WAIT_TIMED_OUT);
    ck_assert_uint_le(mst_load32_acq(&bench.ticks), 4);
}
END_TEST

/* The kernel may have no memory for a sleep on several words, or refuse one of them: that is no busy loop. */
START_TEST(test_a_watch_that_is_refused_naps)
{
    _Atomic uint32_t words[2] = { 0, 0 };
    const mst_os_watched_word watched[2] = { { &words[0], 0 }, { (void *)((uintptr_t)&words[1] + 1), 0 } };
    int64_t began_ns = mst_os_now_ns();

    mst_wait_watch(watched, 2, 5 * MST_NS_PER_MS);
    ck_assert_int_ge(mst_os_now_ns() - began_ns, MST_NS_PER_MS);
}
END_TEST

static bool come_and_leave(void *arg, int peer, mst_slept slept)
{
    bench *bench = arg;

    count_tick(arg, peer, slept);
    mst_store32_rel(&bench->event.word, 2); /* what is waited for, as the last thing before leaving */
    return true;
}

static bool only_leave(void *arg, int peer, mst_slept slept)
{
    count_tick(arg, peer, slept);
    return true;
}

static void declare_lost(void *arg, int peer)
{
    bench *bench = arg;

    ck_assert_int_eq(peer, 3);
    mst_store64_rel(&bench->poison, 1);
}

/* Between a look in vain and the tick a peer may do what is waited for and leave: it is not lost. */
START_TEST(test_who_left_is_lost_only_if_a_last_look_is_in_vain)
{
    bench bench;

    set_up(&bench);
    bench.waiter.watch = (mst_watch){ .tick = come_and_leave, .lost = declare_lost, .arg = &bench };
    wait_for_one(&bench);
    ck_assert_int_eq(bench.result, MST_WAIT_READY);
    ck_assert_uint_eq(mst_load64_acq(&bench.poison), 0);
    set_up(&bench);
    bench.waiter.watch = (mst_watch){ .tick = only_leave, .lost = declare_lost, .arg = &bench };
    wait_for_one(&bench);
    ck_assert_int_eq(bench.result, MST_WAIT_POISONED);
}
END_TEST

static bool rest(void *arg)
{
    (void)arg;
    return true;
}

/* A second of ticks every 20 ms and one of rest: twice as many ticks as that would be without. */
START_TEST(test_who_may_rest_ticks_rarely)
{
    bench bench;

    set_up(&bench);
    bench.waiter.watch.may_rest = rest;
    bench.waiter.deadline.limit_ns = 2 * MST_NS_PER_S;
    wait_for_one(&bench);
    ck_assert_int_eq(bench.result, MST_WAIT_TIMED_OUT);
    ck_assert_uint_le(mst_load32_acq(&bench.ticks), 60);
}
END_TEST

START_TEST(test_counts_wrap)
{
    mst_eventcount event = { 0 };

    mst_store32_rel(&event.word, 0xfffffffe); /* count 2^31 - 1 */
    ck_assert(mst_count_reached(&event.word, 0x7fffffff));
    ck_assert(!mst_count_reached(&event.word, 0x80000000));
    mst_eventcount_advance(&event); /* to 2^31, which is 0 in 31 bits */
    ck_assert(mst_count_reached(&event.word, 0x80000000));
    ck_assert(!mst_count_reached(&event.word, 0x80000001));
}
END_TEST

START_TEST(test_no_spinning_where_ranks_outnumber_cpus)
{
    ck_assert_int_eq(mst_wait_policy_for(8, 2).spin_ns, 0);
    ck_assert_int_gt(mst_wait_policy_for(2, 2).spin_ns, 0);
    ck_assert_int_gt(mst_wait_policy_for(8, 2).yield_ns, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wait");
    TCase *tests = tcase_create(mst_os_park_name());

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_ready_wins_over_poison);
    tcase_add_test(tests, test_what_came_before_poison_counts);
    tcase_add_test(tests, test_a_raise_wakes);
    tcase_add_test(tests, test_an_alarm_wakes_into_poison);
    tcase_add_test(tests, test_a_sleeper_and_its_waker_see_each_other);
    tcase_add_test(tests, test_a_deadline_ends_and_ticks_come);
    tcase_add_test(tests, test_a_deadline_ends_a_wait_whose_ticks_take_long);
    tcase_add_test(tests, test_what_the_program_computes_in_a_tick_counts);
    tcase_add_test(tests, test_a_watch_that_is_refused_naps);
    tcase_add_test(tests, test_who_left_is_lost_only_if_a_last_look_is_in_vain);
    tcase_add_test(tests, test_who_may_rest_ticks_rarely);
    tcase_add_test(tests, test_counts_wrap);
    tcase_add_test(tests, test_no_spinning_where_ranks_outnumber_cpus);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
