/*
 * Wait cycles through started messages: a wait for one request, for all of several, and for any of several
 * of which none can end, is part of a cycle, and all in it are told so, by name; a wait for a message that is
 * on its way is not, nor one for any of several of which one can end. And cycles through one half of a
 * sendrecv.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

enum { LARGE = 400000 }; /* bytes: more than a channel buffers */

static unsigned char large[LARGE], got[LARGE];

static int expect_deadlock(muster_group *group, muster_status status, const char *one, const char *other)
{
    RANK_CHECK(group, status == MUSTER_ERR_DEADLOCK);
    RANK_CHECK(group, strstr(muster_error_detail(), "deadlock among ranks of the world: "));
    RANK_CHECK(group, strstr(muster_error_detail(), one));
    RANK_CHECK(group, strstr(muster_error_detail(), other));
    RANK_CHECK(group, muster_group_status(group) == MUSTER_ERR_DEADLOCK); /* for good */
    return 0;
}

static int start_receive(muster_group *world, int source, int tag, muster_request *request)
{
    static int place[16], next;

    RANK_OK(world,
            muster_recv_start(&place[next++ % 16], 1, MUSTER_INT32, source, tag, world, NULL, request));
    return 0;
}

static int send_rank(muster_group *world, int to, int tag)
{
    RANK_OK(world, muster_send(&to, 1, MUSTER_INT32, to, tag, world));
    return 0;
}

/* ---- cycles ---- */

/* How a rank waits for its requests. */
typedef enum way { WAIT, ALL, ANY, ANY_OF_TWO } way;

static muster_status wait_by(way way, muster_request *requests, size_t count)
{
    size_t index;

    if (way == WAIT)
        return muster_wait(&requests[0], 0);
    return way == ALL ? muster_wait_all(requests, count, 0) : muster_wait_any(requests, count, 0, &index);
}

static void say_what(char *text, size_t bytes, way way, int rank, int next)
{
    if (way == ANY_OF_TWO)
        snprintf(text, bytes, "%d in wait_any of 2: recv_start (int32 x 1, tag 4) waits for %d", rank, next);
    else
        snprintf(text, bytes, "%d in recv_start (int32 x 1, tag 4) waits for %d", rank, next);
}

/* Each waits for a message of the next one: by wait, by wait_all, and by wait_any, of one request and empty
 * ones, and of two. */
static int each_receives(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    muster_request requests[3] = { MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT };
    way way = *(const enum way *)arg;
    char own[100], other[100];

    if (start_receive(world, (rank + 1) % size, 4, &requests[way == WAIT ? 0 : 1]) ||
        (way == ANY_OF_TWO && start_receive(world, (rank + 1) % size, 5, &requests[2])))
        return 1;
    say_what(own, sizeof own, way, rank, (rank + 1) % size);
    say_what(other, sizeof other, way, (rank + 1) % size, (rank + 2) % size);
    return expect_deadlock(world, wait_by(way, requests, 3), own, other);
}

/* Rank 0 waits for any of two ranks, of which one waits for it and the other one for that one. */
static int any_of_stuck_ones(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), x;
    muster_request requests[2];
    size_t index;

    (void)arg;
    if (rank > 0)
        return expect_deadlock(world, muster_recv(&x, 1, MUSTER_INT32, rank - 1, 9, world, NULL),
                               "0 in wait_any of 2", "1 in recv (int32 x 1, tag 9) waits for 0");
    if (start_receive(world, 1, 7, &requests[0]) || start_receive(world, 2, 8, &requests[1]))
        return 1;
    return expect_deadlock(world, muster_wait_any(requests, 2, 0, &index), "0 in wait_any of 2",
                           "1 in recv (int32 x 1, tag 9) waits for 0");
}

START_TEST(test_each_waits_for_the_next)
{
    for (way way = WAIT; way <= ANY_OF_TWO; way++)
        for (int size = 2; size <= (way == ANY_OF_TWO ? 3 : 4);
             size++) /* the sentence has no room for more */
            run_ranks(size, RANKS_AS_PROCESSES, each_receives, &way);
    run_ranks(3, RANKS_AS_PROCESSES, any_of_stuck_ones, NULL);
}
END_TEST

/* Sends that nobody takes. Small ones that are over do not count. */
static int each_sends(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world), next = (rank + 1) % size;
    muster_request requests[2];

    (void)arg;
    RANK_OK(world, muster_send_start(&rank, 1, MUSTER_INT32, next, 1, world, &requests[0]));
    RANK_OK(world, muster_send_start(large, LARGE, MUSTER_UINT8, next, 2, world, &requests[1]));
    return expect_deadlock(world, muster_wait_all(requests, 2, 0), "0 in send_start (uint8 x 400000, tag 2)",
                           "1 in send_start (uint8 x 400000, tag 2)");
}

/* Rank 0 waits for all of a receive that comes late and one of a rank that is in a collective, which waits
 * for rank 0. */
static int all_against_collective(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_request requests[2];

    (void)arg;
    if (rank == 0) {
        if (start_receive(world, 1, 3, &requests[0]) || start_receive(world, 2, 3, &requests[1]))
            return 1;
        return expect_deadlock(world, muster_wait_all(requests, 2, 0),
                               "0 in recv_start (int32 x 1, tag 3) waits for 2", "in barrier");
    }
    if (rank == 1) {
        AWAIT(has_waited_long(world, 0));
        if (send_rank(world, 0, 3))
            return 1;
    }
    return expect_deadlock(world, muster_barrier(world), "0 in recv_start", "in barrier");
}

/* A started collective and a started receive, waited for in the other order by the other rank. */
static int collective_against_receive(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_request request;

    (void)arg;
    if (rank == 0) {
        if (start_receive(world, 1, 0, &request))
            return 1;
        return expect_deadlock(world, muster_wait(&request, 0),
                               "0 in recv_start (int32 x 1, tag 0) waits for 1", "1 in barrier");
    }
    RANK_OK(world, muster_barrier_start(world, &request));
    return expect_deadlock(world, muster_wait(&request, 0), "0 in recv_start (int32 x 1, tag 0) waits for 1",
                           "1 in barrier");
}

/* A started receive and a blocking one. */
static int started_against_blocking(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), x;
    muster_request request;

    (void)arg;
    if (rank == 0 && start_receive(world, 1, 0, &request))
        return 1;
    return expect_deadlock(
        world, rank == 0 ? muster_wait(&request, 0) : muster_recv(&x, 1, MUSTER_INT32, 0, 0, world, NULL),
        "0 in recv_start (int32 x 1, tag 0) waits for 1", "1 in recv (int32 x 1, tag 0) waits for 0");
}

START_TEST(test_cycles)
{
    for (int size = 2; size <= 3; size++)
        run_ranks(size, RANKS_AS_PROCESSES, each_sends, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, all_against_collective, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, collective_against_receive, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, started_against_blocking, NULL);
}
END_TEST

/* A receive from any source is stuck if all others are. */
static int all_receive_of_any(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    muster_request request;

    (void)arg;
    if (start_receive(world, rank % 2 ? (rank + 1) % size : MUSTER_ANY_SOURCE, 5, &request))
        return 1;
    return expect_deadlock(world, muster_wait(&request, 0),
                           "0 in recv_start (int32 x 1, tag 5) waits for any rank",
                           "1 in recv_start (int32 x 1, tag 5) waits for ");
}

/* One of those that could send waits for any of its own receives: it may yet be helped, and so may all. */
static int one_of_them_waits_for_any(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), x;
    muster_request requests[2];
    size_t index;

    (void)arg;
    if (rank == 2) { /* comes late, and helps the one that helps the other */
        await_checks(world, 0, 2);
        return send_rank(world, 1, 6);
    }
    if (rank == 0) {
        if (start_receive(world, MUSTER_ANY_SOURCE, 5, &requests[0]))
            return 1;
        RANK_OK(world, muster_wait(&requests[0], 0));
        return 0;
    }
    if (start_receive(world, 0, 6, &requests[0]) || start_receive(world, 2, 6, &requests[1]))
        return 1;
    RANK_OK(world, muster_wait_any(requests, 2, 0, &index));
    RANK_CHECK(world, index == 1);
    if (send_rank(world, 0, 5))
        return 1;
    RANK_OK(world, muster_cancel(&requests[0], &(bool){ false }));
    (void)x;
    return 0;
}

START_TEST(test_any_source)
{
    for (int size = 2; size <= 5; size++)
        run_ranks(size, RANKS_AS_PROCESSES, all_receive_of_any, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, one_of_them_waits_for_any, NULL);
}
END_TEST

/* ---- halves ---- */

/* Of rank 0's sendrecv the send is part of the cycle, and what is told names both. Rank 2 waits for nobody.
 */
static int the_send_of_two(muster_group *world, void *arg)
{
    static const char *const told[] = {
        "0 in sendrecv (sends uint8 x 400000, tag 1; receives x 1, tag 2) waits for 1",
        "1 in recv (uint8 x 1, tag 9) waits for 0"
    };
    int rank = muster_group_rank(world);

    (void)arg;
    if (rank == 0)
        return expect_deadlock(world,
                               muster_sendrecv(large, LARGE, 1, 1, got, 1, 2, 2, MUSTER_UINT8, world, NULL),
                               told[0], told[1]);
    if (rank == 1)
        return expect_deadlock(world, muster_recv(got, 1, MUSTER_UINT8, 0, 9, world, NULL), told[0], told[1]);
    AWAIT(muster_group_status(world) == MUSTER_ERR_DEADLOCK);
    return 0;
}

/* What has been sent is not told. */
static int the_receive_alone(muster_group *world, void *arg)
{
    int other = 1 - muster_group_rank(world);

    (void)arg;
    return expect_deadlock(
        world, muster_sendrecv(large, 1, other, 1, got, 2, other, 2, MUSTER_UINT8, world, NULL),
        "0 in sendrecv (uint8 x 2, tag 2) waits for 1", "1 in sendrecv (uint8 x 2, tag 2) waits for 0");
}

START_TEST(test_halves_of_sendrecv)
{
    run_ranks(3, RANKS_AS_PROCESSES, the_send_of_two, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, the_receive_alone, NULL);
}
END_TEST

/* ---- no cycles ---- */

/* Ranks 0 and 1 wait for any of two receives, one of them from each other; rank 2 ends both waits, late. */
static int any_of_two(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_request requests[2];
    bool canceled = false;
    size_t index;

    (void)arg;
    if (rank == 2) {
        await_checks(world, 0, 2);
        if (send_rank(world, 0, 1) || send_rank(world, 1, 1))
            return 1;
        RANK_OK(world, muster_barrier(world));
        return 0;
    }
    if (start_receive(world, 1 - rank, 1, &requests[0]) || start_receive(world, 2, 1, &requests[1]))
        return 1;
    RANK_OK(world, muster_wait_any(requests, 2, 0, &index));
    RANK_CHECK(world, index == 1);
    RANK_OK(world, muster_cancel(&requests[0], &canceled));
    RANK_CHECK(world, canceled);
    RANK_OK(world, muster_barrier(world)); /* who leaves is one that the other one still waits for */
    return 0;
}

/* Each waits for its large send alone; the receive that takes the other's is started, and goes on in that
 * wait. */
static int sends_that_are_taken(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    muster_request requests[2];

    (void)arg;
    for (int turn = 0; turn < 20; turn++) {
        memset(large, rank + turn, LARGE);
        RANK_OK(world,
                muster_recv_start(got, LARGE, MUSTER_UINT8, (rank + 1) % size, 2, world, NULL, &requests[1]));
        RANK_OK(world, muster_send_start(large, LARGE, MUSTER_UINT8, (rank + size - 1) % size, 2, world,
                                         &requests[0]));
        RANK_OK(world, muster_wait(&requests[turn % 2], 0));
        RANK_OK(world, muster_wait(&requests[1 - turn % 2], 0));
        RANK_CHECK(world, got[LARGE - 1] == (unsigned char)((rank + 1) % size + turn));
    }
    return 0;
}

/* Rank 0's receive has begun, and its sender is in another call for a while, in which the rest comes. */
static int on_its_way(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), x = 0;
    muster_request request;

    (void)arg;
    if (rank == 0) {
        RANK_OK(world, muster_recv_start(got, LARGE, MUSTER_UINT8, 1, 2, world, NULL, &request));
        RANK_OK(world, muster_wait(&request, 0));
        return send_rank(world, 1, 9);
    }
    RANK_OK(world, muster_send_start(large, LARGE, MUSTER_UINT8, 0, 2, world, &request));
    pass_time_ms(300); /* in no call: rank 0 waits for it, and tells nobody; and it for nobody */
    RANK_OK(world, muster_recv(&x, 1, MUSTER_INT32, 0, 9, world, NULL));
    RANK_OK(world, muster_wait(&request, 0));
    return 0;
}

/* A chain, whose end only takes its time. */
static int a_chain(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    muster_request request;

    (void)arg;
    if (rank < size - 1) {
        if (start_receive(world, rank + 1, 1, &request))
            return 1;
        RANK_OK(world, muster_wait(&request, 0));
    } else {
        await_checks(world, 0, (uint32_t)size - 1);
    }
    return rank > 0 ? send_rank(world, rank - 1, 1) : 0;
}

/* Rank 2 waits for ranks 0 and 1 to start, and says so. Then rank 1 has started, and waits for rank 2, of
 * which it is still known only that it waits: for rank 0, by now. */
static int one_has_come_since(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), in = 1, sum = 0;
    muster_request request;

    (void)arg;
    if (rank < 2)
        AWAIT(has_waited_long(world, 2));
    if (rank == 0)
        await_checks(world, 1, 2);
    RANK_OK(world, muster_all_reduce_start(&in, &sum, 1, MUSTER_INT32, MUSTER_SUM, world, &request));
    if (rank == 1) /* which waits for its neighbour first */
        RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_wait(&request, 0));
    RANK_CHECK(world, sum == 3);
    if (rank != 1)
        RANK_OK(world, muster_barrier(world));
    return 0;
}

#define LIMIT_NS (400 * 1000000LL) /* several times as long as it takes to prove a cycle */

/* A rank that waits with a limit of its own does something else after it, for which another one waits: here,
 * by a request of one group, while the other rank is in a barrier of another one. */
static int request_with_a_limit(muster_group *world, void *arg)
{
    muster_request request = MUSTER_REQUEST_INIT;
    muster_group *other;
    int32_t got;

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &other));
    if (muster_group_rank(world) == 0) {
        RANK_OK(world, muster_recv_start(&got, 1, MUSTER_INT32, 1, 0, other, NULL, &request));
        RANK_CHECK(world, muster_wait(&request, LIMIT_NS) == MUSTER_ERR_TIMED_OUT);
    }
    RANK_OK(world, muster_barrier(world));
    return 0;
}

/* The same by a queue, or a signal, whose waits end alone. */
static int pop_with_a_limit(muster_group *world, void *arg)
{
    muster_queue *queue;
    muster_share *share;
    int32_t got;
    size_t bytes;

    (void)arg;
    RANK_OK(world, muster_queue_create(world, 0, 4, 8, &queue));
    RANK_OK(world, muster_share_create(world, 8, &share));
    if (muster_group_rank(world) == 1) {
        RANK_CHECK(world,
                   muster_queue_pop(queue, &got, sizeof got, LIMIT_NS, &bytes) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, muster_wait_signal(share, 0, 0, 1, LIMIT_NS) == MUSTER_ERR_TIMED_OUT);
        return send_rank(world, 0, 0);
    }
    RANK_OK(world, muster_recv(&got, 1, MUSTER_INT32, 1, 0, world, NULL));
    return 0;
}

START_TEST(test_a_wait_with_a_limit_is_in_no_cycle)
{
    run_ranks(2, RANKS_AS_PROCESSES, request_with_a_limit, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, pop_with_a_limit, NULL);
}
END_TEST

START_TEST(test_what_is_no_cycle)
{
    run_ranks(3, RANKS_AS_PROCESSES, one_has_come_since, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, any_of_two, NULL);
    for (int size = 2; size <= 3; size++)
        run_ranks(size, RANKS_AS_PROCESSES, sends_that_are_taken, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, on_its_way, NULL);
    run_ranks(4, RANKS_AS_PROCESSES, a_chain, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("started deadlock");
    TCase *tests = tcase_create("started deadlock");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) { /* it has a thread of its own, so nobody is alone */
        tcase_add_test(tests, test_each_waits_for_the_next);
        tcase_add_test(tests, test_cycles);
        tcase_add_test(tests, test_any_source);
        tcase_add_test(tests, test_halves_of_sendrecv);
        tcase_add_test(tests, test_what_is_no_cycle);
        tcase_add_test(tests, test_a_wait_with_a_limit_is_in_no_cycle);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
