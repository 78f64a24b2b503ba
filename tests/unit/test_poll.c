/* Waits for operations of two backends at once (src/hosts/poll.h), which say here what the test wants. */
#include "src/hosts/poll.h"

#include <check.h>

#include "tests/harness/ranks.h"

#define LOOKS_MAX 100

static int looks;

static muster_status be_pending(muster_group *group, uint64_t number, bool *over)
{
    (void)group, (void)number;
    *over = false;
    return MUSTER_OK;
}

/* The operation is over just when its limit has passed. */
static muster_status end_just_then(mst_wait_set *set, size_t *index)
{
    *index = 0;
    mst_request_over(&set->requests[0]);
    return MUSTER_OK;
}

/* Fails where somebody goes on waiting for it. */
static muster_status be_pending_for_a_while(muster_group *group, uint64_t number, bool *over)
{
    (void)group, (void)number;
    *over = ++looks == LOOKS_MAX;
    return *over ? mst_fail(MUSTER_ERR_ABORTED, "nobody was to wait for this any more") : MUSTER_OK;
}

static const mst_backend late_one = { .name = "late", .test = be_pending, .wait = end_just_then };
static const mst_backend other_one = { .name = "other", .test = be_pending_for_a_while };

static const unsigned char here = 1;
static muster_group late = { .backend = &late_one, .here = &here, .size = 1, .timeout_ns = 1 };
static muster_group other = { .backend = &other_one, .here = &here, .size = 1 };

static muster_request start(muster_group *group)
{
    mst_count_started(group, MUSTER_CALL_RECEIVE, 1);
    return (muster_request){ group, mst_started_number(1, MUSTER_CALL_RECEIVE) };
}

START_TEST(test_any_finds_what_ends_when_its_limit_passes)
{
    muster_request requests[2] = { start(&late), start(&other) };
    size_t index;

    looks = 0;
    ck_assert_int_eq(mst_poll(requests, 2, false, 0, &index), MUSTER_OK);
    ck_assert_uint_eq(index, 0);
    ck_assert_ptr_null(requests[0].group);
    ck_assert_ptr_eq(requests[1].group, &other);
}
END_TEST

START_TEST(test_all_go_on_when_one_has_ended_so)
{
    muster_request requests[2] = { start(&late), start(&other) };
    size_t index;

    looks = 0;
    ck_assert_int_eq(mst_poll(requests, 2, true, 0, &index), MUSTER_ERR_ABORTED);
    ck_assert_uint_eq(index, 1);
    ck_assert_int_eq(looks, LOOKS_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("poll");
    TCase *tests = tcase_create("poll");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_any_finds_what_ends_when_its_limit_passes);
    tcase_add_test(tests, test_all_go_on_when_one_has_ended_so);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
