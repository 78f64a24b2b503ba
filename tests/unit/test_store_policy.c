/* Store policies: which way copies go, by trials of copies that take as long as the test says. */
#include "shm/group/store_policy.h"

#include "shm/port/os.h"
#include "tests/harness/ranks.h"

#define COPY_BYTES 16384
#define COPIES 5000 /* more than lie between two trials */

/* How long a copy takes with ordinary stores, and with non-temporal ones. */
typedef struct copy_times {
    int64_t ordinary_ns, nontemporal_ns;
} copy_times;

static const copy_times fast_pair = { 500, 1000 }, slow_pair = { 20000, 1000 };

static void pass(int64_t ns)
{
    int64_t until_ns = mst_os_now_ns() + ns;

    while (mst_os_now_ns() < until_ns)
        continue;
}

static bool copy(mst_store_policy *policy, size_t bytes, copy_times times)
{
    bool nontemporal = mst_store_begin(policy, bytes);

    if (policy->began_ns) /* the others need not take long */
        pass(nontemporal ? times.nontemporal_ns : times.ordinary_ns);
    mst_store_end(policy, bytes);
    return nontemporal;
}

static int count_nontemporal(mst_store_policy *policy, size_t bytes, copy_times times)
{
    int nontemporal = 0;

    for (int i = 0; i < COPIES; i++)
        nontemporal += copy(policy, bytes, times);
    return nontemporal;
}

START_TEST(test_the_faster_way_is_taken)
{
    mst_store_policy policy;

    mst_store_init(&policy, (mst_store_plan){ .nontemporal_bytes_min = 2048, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_READER);
    ck_assert_int_gt(count_nontemporal(&policy, COPY_BYTES, slow_pair), COPIES * 9 / 10);
}
END_TEST

START_TEST(test_it_is_found_out_again_when_it_changes)
{
    mst_store_policy policy;

    mst_store_init(&policy, (mst_store_plan){ .nontemporal_bytes_min = 2048, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_READER);
    for (int i = 0; i < 3; i++) {
        count_nontemporal(&policy, COPY_BYTES, slow_pair);
        ck_assert(mst_store_is_nontemporal(&policy, COPY_BYTES));
        count_nontemporal(&policy, COPY_BYTES, fast_pair);
        ck_assert(!mst_store_is_nontemporal(&policy, COPY_BYTES));
    }
    ck_assert_int_lt(count_nontemporal(&policy, COPY_BYTES, fast_pair), COPIES / 50);
}
END_TEST

START_TEST(test_a_reader_is_worth_more_of_the_writers_time)
{
    const copy_times slower = { 20000, 13000 };
    mst_store_policy for_reader, for_writer;

    mst_store_init(&for_reader, (mst_store_plan){ .nontemporal_bytes_min = 2048, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_READER);
    mst_store_init(&for_writer, (mst_store_plan){ .nontemporal_bytes_min = 2048, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_WRITER);
    count_nontemporal(&for_reader, COPY_BYTES, slower);
    count_nontemporal(&for_writer, COPY_BYTES, slower);
    ck_assert(!mst_store_is_nontemporal(&for_reader, COPY_BYTES));
    ck_assert(mst_store_is_nontemporal(&for_writer, COPY_BYTES));
}
END_TEST

/* Those of a slow pair take one and a half times as long, and those of a large copy four times. */
START_TEST(test_a_short_copy_may_take_less_time_more)
{
    const copy_times slower = { 15000, 10000 };
    mst_store_policy policy;

    mst_store_init(&policy, (mst_store_plan){ .nontemporal_bytes_min = 1280, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_READER);
    count_nontemporal(&policy, 1280, slower);
    ck_assert(mst_store_is_nontemporal(&policy, 1280));
    ck_assert(!mst_store_is_nontemporal(&policy, 1279));
    count_nontemporal(&policy, COPY_BYTES, slower);
    ck_assert(!mst_store_is_nontemporal(&policy, COPY_BYTES));
    count_nontemporal(&policy, 1280, fast_pair);
    ck_assert(!mst_store_is_nontemporal(&policy, 1280));
}
END_TEST

/* Else what is near the limit would be tried all the time. */
START_TEST(test_leaving_a_way_takes_more_than_staying)
{
    const copy_times between = { 35000, 10000 };
    mst_store_policy policy, other;

    mst_store_init(&policy, (mst_store_plan){ .nontemporal_bytes_min = 2048, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_READER);
    other = policy;
    count_nontemporal(&policy, COPY_BYTES, slow_pair);
    count_nontemporal(&policy, COPY_BYTES, between);
    ck_assert(mst_store_is_nontemporal(&policy, COPY_BYTES));
    count_nontemporal(&other, COPY_BYTES, between);
    ck_assert(!mst_store_is_nontemporal(&other, COPY_BYTES));
}
END_TEST

START_TEST(test_what_another_has_found_is_believed_and_tried)
{
    mst_store_policy policy, child;

    mst_store_init(&policy, (mst_store_plan){ .nontemporal_bytes_min = 2048, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_READER);
    child = policy;
    count_nontemporal(&policy, COPY_BYTES, slow_pair);
    mst_store_inherit(&child, &policy);
    ck_assert(mst_store_begin(&child, COPY_BYTES));
    ck_assert(!child.began_ns);
    count_nontemporal(&child, COPY_BYTES, fast_pair);
    ck_assert(!mst_store_is_nontemporal(&child, COPY_BYTES));
}
END_TEST

START_TEST(test_the_first_copies_of_a_size_go_its_neighbours_way_untimed)
{
    mst_store_policy policy;

    mst_store_init(&policy, (mst_store_plan){ .nontemporal_bytes_min = 2048, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_READER);
    for (size_t written = 0; written < 1 << 20; written += COPY_BYTES) {
        ck_assert(!mst_store_begin(&policy, COPY_BYTES));
        ck_assert(!policy.began_ns);
    }
    count_nontemporal(&policy, COPY_BYTES, slow_pair);
    for (size_t written = 0; written < 1 << 20; written += 4 * COPY_BYTES) {
        ck_assert(mst_store_begin(&policy, 4 * COPY_BYTES));
        ck_assert(!policy.began_ns);
    }
    count_nontemporal(&policy, 4 * COPY_BYTES, fast_pair);
    ck_assert(!mst_store_is_nontemporal(&policy, 4 * COPY_BYTES));
    ck_assert(mst_store_is_nontemporal(&policy, COPY_BYTES));
}
END_TEST

START_TEST(test_when_one_size_changes_the_others_are_tried_soon)
{
    mst_store_policy policy;

    mst_store_init(&policy, (mst_store_plan){ .nontemporal_bytes_min = 2048, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_READER);
    count_nontemporal(&policy, COPY_BYTES, fast_pair);
    count_nontemporal(&policy, 4 * COPY_BYTES, fast_pair);
    count_nontemporal(&policy, COPY_BYTES, slow_pair);
    for (int i = 0; i < 64; i++)
        copy(&policy, 4 * COPY_BYTES, slow_pair);
    ck_assert(mst_store_is_nontemporal(&policy, 4 * COPY_BYTES));
}
END_TEST

START_TEST(test_small_copies_go_through_the_cache)
{
    mst_store_policy policy;

    mst_store_init(&policy, (mst_store_plan){ .nontemporal_bytes_min = 2048, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_READER);
    ck_assert_int_eq(count_nontemporal(&policy, 2047, slow_pair), 0);
    count_nontemporal(&policy, COPY_BYTES, slow_pair);
    ck_assert_int_eq(count_nontemporal(&policy, 2047, slow_pair), 0);
    ck_assert_int_eq(count_nontemporal(&policy, 0, slow_pair), 0);
}
END_TEST

START_TEST(test_what_is_fixed_is_not_tried)
{
    mst_store_policy policy;

    mst_store_init(&policy, (mst_store_plan){ .nontemporal_bytes_min = 4096, .fixed = true },
                   MST_STORE_POLICY_FOR_READER);
    ck_assert_int_eq(count_nontemporal(&policy, 4096, fast_pair), COPIES);
    ck_assert_int_eq(count_nontemporal(&policy, 4095, slow_pair), 0);
}
END_TEST

/* Each size finds out for itself. */
START_TEST(test_sizes_that_come_in_turn_are_not_compared)
{
    mst_store_policy policy;

    mst_store_init(&policy, (mst_store_plan){ .nontemporal_bytes_min = 2048, .max_ratio = 4 },
                   MST_STORE_POLICY_FOR_READER);
    for (int i = 0; i < COPIES; i++) {
        copy(&policy, COPY_BYTES, fast_pair);
        copy(&policy, 4 * COPY_BYTES, slow_pair);
    }
    ck_assert(!mst_store_is_nontemporal(&policy, COPY_BYTES));
    ck_assert(mst_store_is_nontemporal(&policy, 4 * COPY_BYTES));
    for (size_t bytes = 1 << 20; bytes < (size_t)1 << 40; bytes <<= 1)
        for (int i = 0; i < 10; i++)
            copy(&policy, bytes, fast_pair);
    ck_assert(!mst_store_is_nontemporal(&policy, SIZE_MAX));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *tests = tcase_create("policy");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_the_faster_way_is_taken);
    tcase_add_test(tests, test_it_is_found_out_again_when_it_changes);
    tcase_add_test(tests, test_a_reader_is_worth_more_of_the_writers_time);
    tcase_add_test(tests, test_a_short_copy_may_take_less_time_more);
    tcase_add_test(tests, test_leaving_a_way_takes_more_than_staying);
    tcase_add_test(tests, test_what_another_has_found_is_believed_and_tried);
    tcase_add_test(tests, test_the_first_copies_of_a_size_go_its_neighbours_way_untimed);
    tcase_add_test(tests, test_when_one_size_changes_the_others_are_tried_soon);
    tcase_add_test(tests, test_small_copies_go_through_the_cache);
    tcase_add_test(tests, test_what_is_fixed_is_not_tried);
    tcase_add_test(tests, test_sizes_that_come_in_turn_are_not_compared);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
