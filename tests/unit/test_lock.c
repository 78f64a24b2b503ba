/* The lock of pending operations: it excludes, wakes those that wait, and tells of work that was left. */
#include <check.h>
#include <pthread.h>

#include "shm/wait/lock.h"
#include "tests/harness/ranks.h"

#define THREADS 4
#define TIMES 20000

static mst_lock lock;
static long counted, done_for_others;

static void setup(void)
{
    lock = (mst_lock){ 0 };
    mst_lock_init(&lock);
    counted = done_for_others = 0;
}

static void teardown(void)
{
    mst_lock_destroy(&lock);
}

static void let_go(void)
{
    bool left = mst_lock_let_go(&lock);

    while (left) { /* as whoever is woken does */
        mst_lock_take(&lock);
        done_for_others++;
        left = mst_lock_let_go(&lock);
    }
}

static void *count(void *arg)
{
    for (int i = 0; i < TIMES; i++) {
        mst_lock_take(&lock);
        counted++;
        let_go();
    }
    return arg;
}

/* Counts how often it has left its work to another thread. */
static void *try_to_count(void *arg)
{
    long *left = arg;

    for (int i = 0; i < TIMES; i++)
        if (mst_lock_try(&lock, true)) {
            counted++;
            let_go();
        } else {
            ++*left;
        }
    return arg;
}

START_TEST(test_several_threads_take_it_one_after_the_other)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(counted, (long)THREADS * TIMES);
    ck_assert_int_eq(done_for_others, 0);
    ck_assert_uint_eq(mst_load32_rlx(&lock.word), 0);
}
END_TEST

START_TEST(test_who_lets_go_hears_of_work_that_was_left)
{
    ck_assert(mst_lock_try(&lock, true));
    ck_assert(!mst_lock_try(&lock, false));
    ck_assert(!mst_lock_let_go(&lock));
    mst_lock_take(&lock);
    ck_assert(!mst_lock_try(&lock, true));
    ck_assert(!mst_lock_try(&lock, true));
    ck_assert(mst_lock_let_go(&lock));
    ck_assert(mst_lock_try(&lock, false));
    ck_assert(!mst_lock_let_go(&lock));
}
END_TEST

/* One that is done may stand for several that were left. */
START_TEST(test_no_work_that_was_left_is_forgotten)
{
    pthread_t threads[THREADS];
    long left[THREADS] = { 0 }, all = 0;

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, i % 2 ? try_to_count : count, &left[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        all += left[i];
    ck_assert_int_eq(counted + all, (long)THREADS * TIMES);
    ck_assert_int_le(done_for_others, all);
    ck_assert(all == 0 || done_for_others > 0);
    ck_assert_uint_eq(mst_load32_rlx(&lock.word), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock");
    TCase *tests = tcase_create("lock");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_several_threads_take_it_one_after_the_other);
    tcase_add_test(tests, test_who_lets_go_hears_of_work_that_was_left);
    tcase_add_test(tests, test_no_work_that_was_left_is_forgotten);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
