/*
 * How receives end otherwise than by their message: what a message that is too long leaves behind, what
 * can be taken back and when, and which of several ends a wait for them. Also run by the backend of threads.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ints.h"
#include "tests/harness/ranks.h"

enum { LARGE = 300000 }; /* bytes: more than travels by itself */

static void run_pair(muster_rank_fn body)
{
    run_ranks(2, RANKS_AS_PROCESSES, body, NULL);
    run_ranks(2, RANKS_AS_THREADS, body, NULL);
}

/* ---- truncation ---- */

/* A message that is too long ends this group alone, on all ranks; nothing is written beyond the room; all
 * that was started ends; and a group made of it has nothing left of its messages. */
static int too_long(muster_group *world, void *arg)
{
    const size_t *bytes = arg;
    int rank = muster_group_rank(world), size = muster_group_size(world), got = 0;
    unsigned char *buffer = malloc(LARGE + 1);
    muster_request requests[2] = { MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT }, third;
    muster_message came = MUSTER_MESSAGE_INIT;
    muster_group *group, *rest;
    bool found;

    RANK_CHECK(world, buffer);
    RANK_OK(world, muster_group_dup(world, &group));
    memset(buffer, rank == 0 ? 1 : 0xee, LARGE + 1);
    if (rank == 0) {
        RANK_OK(world, muster_send_start(&rank, 1, MUSTER_INT32, 1, 8, group, &requests[1])); /* is left */
        muster_status status = muster_send_start(buffer, *bytes, MUSTER_UINT8, 1, 6, group, &requests[0]);
        RANK_CHECK(world, status == MUSTER_OK || status == MUSTER_ERR_MISMATCH); /* at once, perhaps */
    } else if (rank == 1) {
        RANK_OK(world, muster_recv_start(&got, 1, MUSTER_INT32, 0, 9, group, NULL, &requests[1]));
        RANK_OK(world, muster_recv_start(&got, 1, MUSTER_INT32, 0, 9, group, NULL, &third));
        RANK_OK(world, muster_recv_start(buffer, *bytes - 1, MUSTER_UINT8, 0, 6, group, &came, &requests[0]));
        RANK_CHECK(world, muster_wait_all(requests, 2, 0) == MUSTER_ERR_MISMATCH);
        RANK_CHECK(world, !requests[0].group && !requests[1].group);
        RANK_CHECK(world, muster_cancel(&third, &found) == MUSTER_ERR_MISMATCH && !third.group);
        RANK_CHECK(world, buffer[*bytes - 1] == 0xee && got == 0);
    }
    RANK_CHECK(world, muster_barrier(group) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, muster_send(&rank, 1, MUSTER_INT32, 0, 0, group) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, muster_iprobe(0, 8, group, &found, NULL) == MUSTER_ERR_MISMATCH);
    if (rank == 0) {
        RANK_CHECK(world, muster_wait_all(requests, 2, 0) == MUSTER_ERR_MISMATCH);
        RANK_CHECK(world, !requests[0].group && !requests[1].group);
    }
    if (size > 1 && rank == 0) /* the other group is as it was */
        RANK_OK(world, muster_send(&rank, 1, MUSTER_INT32, 1, 8, world));
    if (rank == 1 && expect_int(world, 0, 0, 8))
        return 1;
    if (on_one_host()) {
        RANK_OK(world, muster_group_shrink(group, &rest));
        RANK_CHECK(rest, muster_group_size(rest) == size);
        RANK_OK(rest, muster_iprobe(0, MUSTER_ANY_TAG, rest, &found, NULL));
        RANK_CHECK(rest, !found);
        RANK_OK(rest, muster_barrier(rest));
        RANK_OK(rest, muster_sendrecv(&rank, 1, (rank + 1) % size, 6, &got, 1, (rank + size - 1) % size, 6,
                                      MUSTER_INT32, rest, NULL));
        RANK_CHECK(rest, got == (rank + size - 1) % size);
        RANK_OK(rest, muster_group_free(rest));
    }
    RANK_OK(world, muster_group_free(group));
    free(buffer);
    return 0;
}

START_TEST(test_what_a_message_that_is_too_long_leaves)
{
    static size_t sizes[] = { 1, 41, 9000, 40000, 65537, LARGE };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int size = 2; size <= 3; size++) {
            run_ranks(size, RANKS_AS_PROCESSES, too_long, &sizes[i]);
            run_ranks(size, RANKS_AS_THREADS, too_long, &sizes[i]);
        }
}
END_TEST

/* ---- canceling ---- */

/* Some of many receives are taken back, in no order: those that are left get the messages in the order made.
 */
static int cancel_some(muster_group *world, void *arg)
{
    enum { COUNT = 600 };
    int rank = muster_group_rank(world), got[COUNT], sent = 0;
    muster_request requests[COUNT];
    bool canceled;

    (void)arg;
    for (int i = 0; i < COUNT && rank == 1; i++) {
        got[i] = -1;
        RANK_OK(world, muster_recv_start(&got[i], 1, MUSTER_INT32, i % 3 ? 0 : MUSTER_ANY_SOURCE,
                                         i % 5 ? 1 : MUSTER_ANY_TAG, world, NULL, &requests[i]));
    }
    for (int i = 0; i < COUNT && rank == 1; i++) {
        int at = i * 7 % COUNT; /* each once */

        if (at % 2 == 0)
            continue;
        RANK_OK(world, muster_cancel(&requests[at], &canceled));
        RANK_CHECK(world, canceled && !requests[at].group);
    }
    RANK_OK(world, muster_barrier(world));
    for (int i = 0; i < COUNT / 2 && rank == 0; i++)
        if (send_int(world, i, 1, 1))
            return 1;
    if (rank == 1)
        RANK_OK(world, muster_wait_all(requests, COUNT, 0));
    for (int i = 0; i < COUNT && rank == 1; i++)
        RANK_CHECK(world, got[i] == (i % 2 ? -1 : sent++));
    return 0;
}

/* Too late: the message is there, whole or in part. One that was taken back leaves its message for the next.
 */
static int cancel_too_late(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), got = -1;
    unsigned char *large = calloc(1, LARGE);
    muster_request requests[2], again;
    bool canceled = true, done = false, right = true;
    _Atomic int *looked = arg; /* 0: rank 1 has, while rank 0 was in no call; 1: it saw a part */

    RANK_CHECK(world, large);
    memset(large, rank == 0 ? 6 : 0, LARGE);
    if (rank == 1) {
        RANK_OK(world, muster_recv_start(&got, 1, MUSTER_INT32, 0, 1, world, NULL, &requests[0]));
        RANK_OK(world, muster_recv_start(large, LARGE, MUSTER_UINT8, 0, 2, world, NULL, &requests[1]));
    }
    RANK_OK(world, muster_barrier(world));
    if (rank == 0) {
        if (send_int(world, 5, 1, 1))
            return 1;
        RANK_OK(world, muster_send_start(large, LARGE, MUSTER_UINT8, 1, 2, world, &requests[0]));
        if (send_int(world, 8, 1, 3))
            return 1;
        AWAIT(looked[0]);
        RANK_OK(world, muster_cancel(&requests[0], &canceled));
        RANK_CHECK(world, !canceled && requests[0].group); /* a send is never taken back */
        RANK_OK(world, muster_wait(&requests[0], 0));
    } else {
        RANK_OK(world, muster_probe(0, 3, world, NULL)); /* all are there */
        RANK_OK(world, muster_test(&requests[1], &done));
        for (int i = done; i < 2 && right; i++) { /* the large one may have come whole while we probed */
            again = requests[1 - i];
            canceled = true;
            right = muster_cancel(&again, &canceled) == MUSTER_OK && !canceled && again.group;
        }
        looked[1] += !done;
        looked[0] = 1;
        RANK_CHECK(world, right);
        RANK_OK(world, muster_wait_all(requests, 2, 0));
        RANK_CHECK(world, got == 5 && large[0] == 6 && large[LARGE - 1] == 6);
        RANK_CHECK(world,
                   muster_cancel(&again, &canceled) == MUSTER_ERR_INVALID); /* a copy of what is over */
        if (expect_int(world, 8, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG))
            return 1;
    }
    free(large);
    return 0;
}

/* More sends than the buffer of the pair has room for: those that wait for room are not taken back either. */
static int cancel_sends(muster_group *world, void *arg)
{
    enum { COUNT = 250, BYTES = 9000 };
    int rank = muster_group_rank(world);
    unsigned char *sent = malloc(COUNT * BYTES), got[BYTES];
    muster_request requests[COUNT];
    bool canceled;

    (void)arg;
    RANK_CHECK(world, sent);
    for (int i = 0; i < COUNT && rank == 0; i++) {
        memset(sent + i * BYTES, i, BYTES);
        RANK_OK(world, muster_send_start(sent + i * BYTES, BYTES, MUSTER_UINT8, 1, 0, world, &requests[i]));
    }
    for (int i = COUNT - 1; i >= 0 && rank == 0; i--) {
        canceled = true;
        RANK_OK(world, muster_cancel(&requests[i], &canceled));
        RANK_CHECK(world, !canceled && requests[i].group);
    }
    RANK_OK(world, muster_barrier(world));
    if (rank == 0)
        RANK_OK(world, muster_wait_all(requests, COUNT, 0));
    for (int i = 0; i < COUNT && rank == 1; i++) {
        RANK_OK(world, muster_recv(got, BYTES, MUSTER_UINT8, 0, 0, world, NULL));
        RANK_CHECK(world, got[0] == i && got[BYTES - 1] == i);
    }
    free(sent);
    return 0;
}

START_TEST(test_canceling)
{
    run_pair(cancel_some);
    run_pair(cancel_sends);
    _Atomic int *looked = shared_page(2 * sizeof *looked);
    for (int i = 0; i < 20 && !looked[1]; i++) { /* until the large message has not come whole */
        looked[0] = 0;
        run_ranks(2, RANKS_AS_PROCESSES, cancel_too_late, looked);
    }
    ck_assert(!on_one_host() || looked[1] > 0);
    looked[0] = 0;
    run_ranks(2, RANKS_AS_THREADS, cancel_too_late, looked);
    shared_page_free(looked, 2 * sizeof *looked);
}
END_TEST

/* ---- waits for several ---- */

/* Rank 2 has left: a wait that needs something of it, though of rank 1 as well, ends at once. */
static int one_of_several_leaves(muster_group *world, void *arg)
{
    bool all = *(const bool *)arg;
    int rank = muster_group_rank(world), got[2];
    muster_request requests[2];
    muster_group *group;
    size_t index;

    RANK_OK(world, muster_group_dup(world, &group));
    for (int i = 0; i < 2 && rank == 0; i++)
        RANK_OK(world, muster_recv_start(&got[i], 1, MUSTER_INT32, i + 1, 0, group, NULL, &requests[i]));
    if (rank == 0) {
        muster_status status =
            all ? muster_wait_all(requests, 2, 0) : muster_wait_any(requests, 2, 0, &index);
        RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(world, strstr(muster_error_detail(), "rank 2 left the group"));
        for (int i = 0; i < 2; i++)
            RANK_CHECK(world, !requests[i].group || muster_wait(&requests[i], 0) == MUSTER_ERR_PEER_DIED);
    }
    if (rank == 1) /* is there, and sends nothing */
        RANK_OK(world, muster_recv(&got[0], 1, MUSTER_INT32, 0, 1, world, NULL));
    RANK_OK(world, muster_group_free(group));
    if (rank == 0)
        RANK_OK(world, muster_send(&rank, 1, MUSTER_INT32, 1, 1, world));
    return 0;
}

/* Of several limits the first that passes counts, and the sentence is about its operation. */
static int the_first_limit(muster_group *world, void *arg)
{
    bool first = *(const bool *)arg;
    int rank = muster_group_rank(world), got[2];
    muster_request requests[2];
    muster_group *group;
    size_t index;

    RANK_OK(world, muster_group_dup(world, &group));
    for (int i = 0; i < 2; i++) {
        RANK_OK(world, muster_group_set_timeout(group, (i == 0) == first ? 30000000 : 15000000000));
        RANK_OK(world,
                muster_recv_start(&got[i], 1, MUSTER_INT32, 1 - rank, 4 + i, group, NULL, &requests[i]));
    }
    RANK_OK(world, muster_barrier(world)); /* a limit that is over breaks the group: nobody starts after it */
    muster_status status = muster_wait_any(requests, 2, 0, &index);
    RANK_CHECK(world, status == MUSTER_ERR_TIMED_OUT);
    RANK_CHECK(world, strstr(muster_error_detail(), "waited 0.03 s in recv_start (int32 x 1"));
    RANK_CHECK(world, !on_one_host() || strstr(muster_error_detail(), first ? "tag 4)" : "tag 5)"));
    RANK_CHECK(world, muster_wait_all(requests, 2, 0) == MUSTER_ERR_TIMED_OUT);
    RANK_OK(world, muster_group_free(group));
    return 0;
}

/* Of a wait for requests of two groups, of which one breaks: a wait for all ends those of the broken group, a
 * wait for any one of them; that of the other group is as before. */
static int one_group_breaks(muster_group *world, void *arg)
{
    bool all = *(const bool *)arg;
    int rank = muster_group_rank(world), got[3];
    muster_request requests[3];
    muster_group *broken;
    size_t index;

    RANK_OK(world, muster_group_dup(world, &broken));
    for (int i = 0; i < 3 && rank == 0; i++)
        RANK_OK(world, muster_recv_start(&got[i], 1, MUSTER_INT32, 1, i, i < 2 ? broken : world, NULL,
                                         &requests[i]));
    RANK_OK(world, muster_barrier(world));
    if (rank == 1)
        RANK_OK(world, muster_group_abort(broken, "enough"));
    if (rank == 0) {
        muster_status status =
            all ? muster_wait_all(requests, 3, 0) : muster_wait_any(requests, 3, 0, &index);
        RANK_CHECK(world, status == MUSTER_ERR_ABORTED && requests[2].group == world);
        RANK_CHECK(world, !requests[0].group + !requests[1].group == (all ? 2 : 1));
        for (int i = 0; i < 2; i++)
            RANK_CHECK(world, !requests[i].group || muster_wait(&requests[i], 0) == MUSTER_ERR_ABORTED);
    }
    RANK_OK(world, muster_barrier(world));
    if (rank == 1 && send_int(world, 7, 0, 2))
        return 1;
    if (rank == 0)
        RANK_CHECK(world, muster_wait(&requests[2], 0) == MUSTER_OK && got[2] == 7);
    RANK_OK(world, muster_group_free(broken));
    return 0;
}

START_TEST(test_waits_for_several)
{
    for (int i = 0; i < 2; i++) {
        rank_options options = { .size = 3, .mode = RANKS_AS_THREADS, .op_timeout_s = 20 };
        bool flag = i;

        if (!flag || on_one_host()) /* the backend of threads completes them in order */
            run_ranks_with(options, one_of_several_leaves, &flag);
        options.mode = RANKS_AS_PROCESSES;
        run_ranks_with(options, one_of_several_leaves, &flag);
        run_ranks(2, RANKS_AS_THREADS, the_first_limit, &flag);
        run_ranks(2, RANKS_AS_PROCESSES, the_first_limit, &flag);
        run_ranks(2, RANKS_AS_THREADS, one_group_breaks, &flag);
        run_ranks(2, RANKS_AS_PROCESSES, one_group_breaks, &flag);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message ends");
    TCase *tests = tcase_create("message ends");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_what_a_message_that_is_too_long_leaves);
    tcase_add_test(tests, test_canceling);
    tcase_add_test(tests, test_waits_for_several);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
