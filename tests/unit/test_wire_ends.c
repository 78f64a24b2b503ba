/* How a process ends that reaches others by src/wire, and what it still tells them. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "src/mpi/end.h"
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

#define DEATH_BYTES 100

/* Of rank 2, as src/hosts tells it by an abort. */
static void print_death(char *text)
{
    snprintf(text, DEATH_BYTES, "[%d 2 %d 9 0 0] rank 2 was killed", MUSTER_ERR_PEER_DIED,
             MUSTER_TERMINATION_SIGNALED);
}

/* Rank 1 tells that rank 2 has died. */
static void tell_of_death(void)
{
    mst_wire_reason reason = { .status = MUSTER_ERR_ABORTED, .about = 1 };
    char death[DEATH_BYTES];

    print_death(death);
    snprintf(reason.text, sizeof reason.text, "rank 1 aborted the group: %s", death);
    alone_come(1, alone_head(1, MST_WIRE_BROKEN), &reason, sizeof reason);
}

/* MPI may never be through with that: who ends does not wait for it, and waits for the living. */
START_TEST(test_words_to_the_dead_are_not_waited_for)
{
    alone.silent = 2;
    mst_wire_leave(alone.wire);
    ck_assert(!mst_wire_has_sent(alone.wire));
    tell_of_death();
    mst_wire_give_up(alone.wire);
    ck_assert(mst_wire_has_sent(alone.wire));
    ck_assert(mst_wire_knows_death(alone.wire));
}
END_TEST

/* Open MPI over TCP may loop for ever with such a frame on its way. */
START_TEST(test_nothing_is_sent_to_who_is_known_to_have_died)
{
    tell_of_death();
    ck_assert_int_ne(muster_group_status(alone.whole), MUSTER_OK);
    ck_assert(mst_wire_knows_death(alone.wire));
    mst_wire_leave(alone.wire);
    mst_wire_give_up(alone.wire);
    for (int to = 1; to < 3; to++) {
        ck_assert_int_eq(alone_count(MST_WIRE_LEFT, to), to == 1);
        ck_assert_int_eq(alone_count(MST_WIRE_GIVES_UP, to), to == 1);
    }
    for (int i = 0; i < alone.sent_count; i++)
        ck_assert_int_eq(alone.sent_to[i], 1);
}
END_TEST

/* Another thread has told these words, which MPI's main one is to send. */
START_TEST(test_what_waits_is_not_sent_to_who_has_died_meanwhile)
{
    char death[DEATH_BYTES];

    alone.may_not_move = true;
    mst_wire_leave(alone.wire);
    ck_assert_int_eq(alone.sent_count, 0);
    print_death(death);
    ck_assert_int_eq(muster_group_abort(alone.whole, death), MUSTER_OK);
    alone.may_not_move = false;
    ck_assert(mst_wire_has_sent(alone.wire));
    ck_assert_int_eq(alone.sent_count, 1);
    ck_assert_int_eq(alone_count(MST_WIRE_LEFT, 1), 1);
}
END_TEST

START_TEST(test_words_to_the_living_are_waited_for)
{
    alone.silent = 1;
    tell_of_death();
    mst_wire_give_up(alone.wire);
    ck_assert(!mst_wire_has_sent(alone.wire));
    alone.silent = -1;
    ck_assert(mst_wire_has_sent(alone.wire));
}
END_TEST

/* ---- the end of a rank that MPI has started ---- */

static bool barrier(char *why)
{
    (void)why;
    return true;
}

static bool test(bool *over, char *why)
{
    (void)why;
    *over = true;
    return true;
}

/* True: this process is to end MPI. */
static bool end_job(int rank, bool failed)
{
    static const mst_plugin plugin = { .version = MST_PLUGIN_VERSION, .barrier = barrier, .test = test };
    mst_mpi_job job = { .plugin = &plugin, .seat = { .rank = rank, .size = 3 }, .wire = alone.wire };

    return mst_mpi_end(&job, failed);
}

static void all_leave(int rank)
{
    alone_begin(rank, 3);
    for (int from = 0; from < 3; from++)
        if (from != rank)
            alone_come(from, alone_head(from, MST_WIRE_LEFT), NULL, 0);
}

static void expect_given_up(int rank)
{
    for (int to = 0; to < 3; to++)
        ck_assert_int_eq(alone_count(MST_WIRE_GIVES_UP, to), to != rank);
}

START_TEST(test_all_end_together)
{
    all_leave(1);
    alone_come(0, alone_head(0, MST_WIRE_ENDS), NULL, 0);
    ck_assert(end_job(1, false));
    ck_assert_int_eq(alone_count(MST_WIRE_READY, 0), 1);
    alone_end();
    all_leave(0);
    for (int from = 1; from < 3; from++)
        alone_come(from, alone_head(from, MST_WIRE_READY), NULL, 0);
    ck_assert(end_job(0, false));
    for (int to = 1; to < 3; to++)
        ck_assert_int_eq(alone_count(MST_WIRE_ENDS, to), 1);
    alone_end();
}
END_TEST

/* Whoever would decide, or another one, is stopped: nobody says any more. The process must end all the same.
 */
START_TEST(test_a_process_that_has_failed_waits_for_no_decision)
{
    for (int rank = 0; rank < 3; rank++) {
        all_leave(rank);
        ck_assert(!end_job(rank, true));
        ck_assert_int_eq(alone_count(MST_WIRE_READY, -1), 0); /* so nobody ends MPI without it */
        expect_given_up(rank);
        alone_end();
    }
}
END_TEST

/* It gives the others time to come, and then not. */
START_TEST(test_a_process_that_has_failed_does_not_wait_for_others_to_come)
{
    alone_begin(1, 3);
    ck_assert(!end_job(1, true));
    expect_given_up(1);
    alone_end();
}
END_TEST

START_TEST(test_one_that_gives_up_ends_the_waits_of_all)
{
    all_leave(1);
    alone_come(2, alone_head(2, MST_WIRE_GIVES_UP), NULL, 0);
    ck_assert(!end_job(1, false));
    expect_given_up(1);
    alone_end();
}
END_TEST

START_TEST(test_a_process_whose_wire_fails_at_its_end_gives_up)
{
    all_leave(1);
    alone.unreachable = 0;
    ck_assert(!end_job(1, false));
    ck_assert_int_eq(alone_count(MST_WIRE_LEFT, 2), 1);
    ck_assert_int_eq(alone_count(MST_WIRE_GIVES_UP, 2), 1);
    alone_end();
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
    tcase_add_test(failing, test_words_to_the_dead_are_not_waited_for);
    tcase_add_test(failing, test_nothing_is_sent_to_who_is_known_to_have_died);
    tcase_add_test(failing, test_what_waits_is_not_sent_to_who_has_died_meanwhile);
    tcase_add_test(failing, test_words_to_the_living_are_waited_for);
    TCase *ends = tcase_create("the end of a rank that MPI has started");
    tcase_set_timeout(ends, TEST_TIMEOUT_S);
    tcase_add_test(ends, test_all_end_together);
    tcase_add_test(ends, test_a_process_that_has_failed_waits_for_no_decision);
    tcase_add_test(ends, test_a_process_that_has_failed_does_not_wait_for_others_to_come);
    tcase_add_test(ends, test_one_that_gives_up_ends_the_waits_of_all);
    tcase_add_test(ends, test_a_process_whose_wire_fails_at_its_end_gives_up);
    Suite *suite = suite_create("ends of a wire");
    suite_add_tcase(suite, failing);
    suite_add_tcase(suite, ends);
    return run_suite(suite);
}
