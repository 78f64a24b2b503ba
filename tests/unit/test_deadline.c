/*
 * Limits on waiting, under a clock of the test's own: what counts, what is a gap, what a gap gives, and that
 * every wait ends, whatever the clock does.
 */
#include "shm/base/deadline.h"

#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

#define MS 1000000LL

static int64_t now_ns;

static mst_deadline begin(int64_t limit_ns)
{
    mst_deadline deadline = { .limit_ns = limit_ns };

    mst_deadline_begin(&deadline);
    mst_deadline_resume(&deadline, now_ns, 0);
    return deadline;
}

/* A sleep that was to take `asked_ns`, and took `took_ns`. */
static void sleep_once(mst_deadline *deadline, int64_t asked_ns, int64_t took_ns)
{
    mst_deadline_count(deadline, now_ns, asked_ns);
    now_ns += took_ns;
    mst_deadline_count(deadline, now_ns, 0);
}

START_TEST(test_a_waiter_that_runs_ends_on_time)
{
    mst_deadline deadline = begin(1000 * MS);
    int sleeps = 0;

    for (; !mst_deadline_passed(&deadline); sleeps++)
        sleep_once(&deadline, 20 * MS, 20 * MS);
    ck_assert_int_eq(sleeps, 50);
    ck_assert_int_eq(mst_deadline_left_ns(&deadline), 0);
}
END_TEST

START_TEST(test_without_a_limit_nothing_passes)
{
    mst_deadline deadline = begin(0);

    for (int i = 0; i < 100; i++)
        sleep_once(&deadline, 1000000 * MS, 1000000 * MS);
    ck_assert(!mst_deadline_passed(&deadline));
    ck_assert(!mst_deadline_used_up(&deadline));
}
END_TEST

/* A sleep that takes a little longer, as on a busy machine, counts in full. */
START_TEST(test_lateness_counts)
{
    mst_deadline deadline = begin(1000 * MS);

    sleep_once(&deadline, 20 * MS, 100 * MS);
    ck_assert_int_eq(mst_deadline_left_ns(&deadline), 900 * MS);
}
END_TEST

/* Of a stop of an hour only the sleep that was asked for counts, and the limit begins anew, though nearly all
 * of it was used up: the awaited rank, which was stopped as well, has its whole time again. */
START_TEST(test_a_stop_does_not_count_and_begins_anew)
{
    mst_deadline deadline = begin(1000 * MS);

    for (int i = 0; i < 49; i++)
        sleep_once(&deadline, 20 * MS, 20 * MS);
    ck_assert_int_eq(mst_deadline_left_ns(&deadline), 20 * MS);
    sleep_once(&deadline, 10 * MS, 3600 * 1000 * MS);
    ck_assert(!mst_deadline_passed(&deadline));
    ck_assert_int_eq(mst_deadline_left_ns(&deadline), 990 * MS);
    ck_assert_int_eq(deadline.total_ns, 990 * MS);
}
END_TEST

/* A wait that has run for less than the limit is never ended by stops, however many. */
START_TEST(test_many_stops_end_nobody_who_is_in_time)
{
    uint64_t state = 3;

    for (int round = 0; round < 2000; round++) {
        mst_deadline deadline = begin(1000 * MS);
        int64_t ran_ns = 0;

        while (ran_ns < 960 * MS) {
            int64_t slept_ns = (int64_t)(random_next(&state) % 20 + 1) * MS;
            bool stopped = random_next(&state) % 4 == 0;

            sleep_once(&deadline, slept_ns,
                       stopped ? slept_ns + (int64_t)(random_next(&state) % 5000 + 101) * MS : slept_ns);
            ran_ns += slept_ns;
            ck_assert(!mst_deadline_passed(&deadline));
        }
    }
}
END_TEST

/* A waiter that gets a CPU only now and then sees gaps only, and its wait ends all the same. */
START_TEST(test_a_starved_waiter_ends)
{
    mst_deadline deadline = begin(1000 * MS);
    int sleeps = 0;

    for (; !mst_deadline_passed(&deadline) && sleeps < 1000; sleeps++)
        sleep_once(&deadline, 20 * MS, 500 * MS);
    ck_assert_int_eq(sleeps, 100); /* twice the limit, in what was slept for */
}
END_TEST

/* Of a short limit a quarter may be lateness. */
START_TEST(test_short_limits_see_short_stops)
{
    mst_deadline deadline = begin(40 * MS);

    sleep_once(&deadline, 5 * MS, 60 * MS);
    ck_assert_int_eq(mst_deadline_left_ns(&deadline), 35 * MS);
}
END_TEST

/* The time limit of a run, in which no rank in particular is awaited, does not begin anew. */
START_TEST(test_the_time_of_a_run_is_used_up_once)
{
    mst_deadline deadline = begin(1000 * MS);

    for (int i = 0; i < 3; i++)
        sleep_once(&deadline, 250 * MS, 250 * MS);
    sleep_once(&deadline, 250 * MS - 1, 60000 * MS);
    ck_assert(!mst_deadline_used_up(&deadline));
    sleep_once(&deadline, 1, 1);
    ck_assert(mst_deadline_used_up(&deadline));
}
END_TEST

/* What is done between two parts of a wait does not count. */
START_TEST(test_what_is_between_waits_does_not_count)
{
    mst_deadline deadline = begin(1000 * MS);

    sleep_once(&deadline, 20 * MS, 20 * MS);
    now_ns += 5000 * MS;
    mst_deadline_resume(&deadline, now_ns, 0);
    sleep_once(&deadline, 20 * MS, 20 * MS);
    ck_assert_int_eq(mst_deadline_left_ns(&deadline), 960 * MS);
}
END_TEST

/* What programs write for "for ever" is no time that has passed. */
START_TEST(test_the_longest_limit)
{
    mst_deadline deadline = begin(INT64_MAX);

    sleep_once(&deadline, 20 * MS, 20 * MS);
    sleep_once(&deadline, 20 * MS, 5000 * MS);
    ck_assert_int_gt(mst_deadline_left_ns(&deadline), INT64_MAX - 5000 * MS);
    ck_assert(!mst_deadline_passed(&deadline));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deadline");
    TCase *tests = tcase_create("deadline");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_a_waiter_that_runs_ends_on_time);
    tcase_add_test(tests, test_without_a_limit_nothing_passes);
    tcase_add_test(tests, test_lateness_counts);
    tcase_add_test(tests, test_a_stop_does_not_count_and_begins_anew);
    tcase_add_test(tests, test_many_stops_end_nobody_who_is_in_time);
    tcase_add_test(tests, test_a_starved_waiter_ends);
    tcase_add_test(tests, test_short_limits_see_short_stops);
    tcase_add_test(tests, test_the_time_of_a_run_is_used_up_once);
    tcase_add_test(tests, test_what_is_between_waits_does_not_count);
    tcase_add_test(tests, test_the_longest_limit);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
