/* How a process ends that reaches others by src/wire, and what it still tells them. */
#include <check.h>
#include <string.h>

#include "tests/harness/alone.h"
#include "tests/harness/ranks.h"

static void begin_first_of_three(void)
{
    alone_begin(0, 3);
}

static void expect_failure(const char *words)
{
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_ERR_SYSTEM);
    ck_assert_msg(strstr(mst_error_sentence(), words) != NULL, "says: %s", mst_error_sentence());
    ck_assert_int_eq(mst_error_parts()->rank, 0);
}

/* ---- a wire that fails ---- */

/* The others would wait for this process until somebody ends them. */
START_TEST(test_who_cannot_send_tells_those_that_it_can_reach)
{
    int number = 0;

    alone.unreachable = 1;
    ck_assert_int_eq(muster_send(&number, 1, MUSTER_INT32, 1, 1, alone.whole), MUSTER_OK);
    expect_failure("rank 0 reaches the others no more: nothing can be sent to rank 1 of the job: the cable");
    ck_assert_int_eq(alone_count(MST_WIRE_BROKEN, 2), 1);
    ck_assert_int_eq(muster_send(&number, 1, MUSTER_INT32, 2, 1, alone.whole), MUSTER_ERR_SYSTEM);
    ck_assert_int_eq(alone_count(MST_WIRE_MESSAGE, -1), 0);
    mst_wire_leave(alone.wire);
    ck_assert(mst_wire_has_given_up(alone.wire));
    mst_wire_give_up(alone.wire);
    ck_assert(mst_wire_has_sent(alone.wire));
    ck_assert_int_eq(alone_count(MST_WIRE_LEFT, 2), 1);
    ck_assert_int_eq(alone_count(MST_WIRE_GIVES_UP, 2), 1);
    ck_assert_int_eq(alone.sent[alone.sent_count - 1].kind, MST_WIRE_GIVES_UP);
    for (int i = 0; i < alone.sent_count; i++)
        ck_assert_int_eq(alone.sent_to[i], 2);
}
END_TEST

START_TEST(test_who_cannot_receive_tells_all)
{
    alone_come(1, alone_head(1, MST_WIRE_MESSAGE), NULL, 0);
    alone.cannot_receive = true;
    expect_failure("nothing can be received: the card is gone");
    for (int to = 1; to < 3; to++)
        ck_assert_int_eq(alone_count(MST_WIRE_BROKEN, to), 1);
    alone.cannot_receive = false; /* it is not asked again */
    expect_failure("nothing can be received: the card is gone");
    ck_assert_int_eq(alone.taken, 0);
}
END_TEST

START_TEST(test_who_is_sent_what_is_no_frame_tells_all)
{
    alone_come(2, (mst_wire_head){ .kind = 99, .group = 5 }, NULL, 0);
    expect_failure("rank 2 of the job has sent what is no frame");
    for (int to = 1; to < 3; to++)
        ck_assert_int_eq(alone_count(MST_WIRE_BROKEN, to), 1);
}
END_TEST

/* What has broken a group before stays, and nothing is said of one that is closed. */
START_TEST(test_the_first_reason_stays_also_where_the_wire_fails)
{
    muster_group *copy;

    ck_assert_int_eq(muster_group_dup(alone.whole, &copy), MUSTER_OK);
    ck_assert_int_eq(muster_group_free(copy), MUSTER_OK);
    ck_assert_int_eq(muster_group_abort(alone.whole, "enough"), MUSTER_OK);
    alone.cannot_receive = true;
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_ERR_ABORTED);
    ck_assert_int_eq(alone_count(MST_WIRE_BROKEN, 1), 1);
}
END_TEST

/* In MPI, which may have ended. */
START_TEST(test_nothing_is_sent_once_the_wire_is_stopped)
{
    mst_wire_stop(alone.wire);
    muster_group_abort(alone.whole, "too late");
    mst_wire_leave(alone.wire);
    mst_wire_give_up(alone.wire);
    ck_assert(mst_wire_has_sent(alone.wire));
    ck_assert_int_eq(alone.sent_count, 0);
}
END_TEST

START_TEST(test_what_another_tells_of_its_failure_breaks_the_group)
{
    mst_wire_reason reason = { .status = MUSTER_ERR_SYSTEM, .about = 2, .text = "rank 2 reaches nobody" };

    alone_come(2, alone_head(2, MST_WIRE_BROKEN), &reason, sizeof reason);
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_ERR_SYSTEM);
    ck_assert_str_eq(mst_error_sentence(), "rank 2 reaches nobody");
    ck_assert_int_eq(mst_error_parts()->rank, 2);
}
END_TEST

int main(void)
{
    TCase *failing = tcase_create("a wire that fails");

    tcase_set_timeout(failing, TEST_TIMEOUT_S);
    tcase_add_checked_fixture(failing, begin_first_of_three, alone_end);
    tcase_add_test(failing, test_who_cannot_send_tells_those_that_it_can_reach);
    tcase_add_test(failing, test_who_cannot_receive_tells_all);
    tcase_add_test(failing, test_who_is_sent_what_is_no_frame_tells_all);
    tcase_add_test(failing, test_the_first_reason_stays_also_where_the_wire_fails);
    tcase_add_test(failing, test_nothing_is_sent_once_the_wire_is_stopped);
    tcase_add_test(failing, test_what_another_tells_of_its_failure_breaks_the_group);
    Suite *suite = suite_create("ends of a wire");
    suite_add_tcase(suite, failing);
    return run_suite(suite);
}
