/*
 * Started messages: what MPI promises of requests, matching by order of posting, any order of completion,
 * cancelling, many in flight, progress in other calls, and the death of a peer in each state of a request.
 * Also run by the backend of threads.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { LARGE = 300000 }; /* bytes: more than travels by itself */

/* ---- the ordinary case ---- */

/* Each rank exchanges messages of some sizes with all others, itself included, all under way at once. */
static int everyone_at_once(muster_group *world, void *arg)
{
    static const size_t counts[] = { 0, 1, 1000, 9000, 20000, 100000 };
    enum { SIZES = 6, LARGEST = 100000 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    size_t all = (size_t)n * SIZES, started = 0;
    int32_t *out = malloc(all * LARGEST * sizeof *out), *in = malloc(all * LARGEST * sizeof *in);
    muster_request *requests = calloc(2 * all, sizeof *requests);

    (void)arg;
    RANK_CHECK(world, out && in && requests);
    for (int peer = 0; peer < n; peer++)
        for (int k = 0; k < SIZES; k++) {
            size_t at = ((size_t)peer * SIZES + (size_t)k) * LARGEST;

            for (size_t i = 0; i < counts[k]; i++)
                out[at + i] = (int32_t)i * 3 + rank * 100 + peer * 10 + k;
            memset(in + at, 0xee, counts[k] * sizeof *in);
            if (k % 2)
                RANK_OK(world, muster_send_start(out + at, counts[k], MUSTER_INT32, peer, k, world,
                                                 &requests[started++]));
            RANK_OK(world, muster_recv_start(in + at, counts[k], MUSTER_INT32, peer, k, world, NULL,
                                             &requests[started++]));
            if (k % 2 == 0)
                RANK_OK(world, muster_send_start(out + at, counts[k], MUSTER_INT32, peer, k, world,
                                                 &requests[started++]));
        }
    RANK_OK(world, muster_wait_all(requests, started, 0));
    for (int peer = 0; peer < n; peer++)
        for (int k = 0; k < SIZES; k++)
            for (size_t i = 0, at = ((size_t)peer * SIZES + (size_t)k) * LARGEST; i < counts[k]; i++)
                RANK_CHECK(world, in[at + i] == (int32_t)i * 3 + peer * 100 + rank * 10 + k);
    free(out);
    free(in);
    free(requests);
    return 0;
}

START_TEST(test_everyone_at_once)
{
    for (int size = 1; size <= 4; size++) {
        run_ranks(size, RANKS_AS_PROCESSES, everyone_at_once, NULL);
        run_ranks(size, RANKS_AS_THREADS, everyone_at_once, NULL);
    }
}
END_TEST

/* Of two receives that match, the one posted first gets the first message, whatever is waited for first. */
static int order_of_posting(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), next = (rank + 1) % n;
    int previous = (rank + n - 1) % n, got[5] = { 0 };
    static const int tags[5] = { 3, MUSTER_ANY_TAG, 3, MUSTER_ANY_TAG, 3 };
    muster_request requests[5];
    muster_message came = MUSTER_MESSAGE_INIT;

    (void)arg;
    for (int i = 0; i < 5; i++)
        RANK_OK(world, muster_recv_start(&got[i], 1, MUSTER_INT32, i == 3 ? MUSTER_ANY_SOURCE : previous,
                                         tags[i], world, i == 1 ? &came : NULL, &requests[i]));
    RANK_OK(world, muster_barrier(world));
    for (int i = 0; i < 5; i++) {
        int value = 10 + i, tag = i == 1 ? 9 : 3;

        RANK_OK(world, muster_send(&value, 1, MUSTER_INT32, next, tag, world));
    }
    for (int i = 4; i >= 0; i--)
        RANK_OK(world, muster_wait(&requests[i], 0));
    for (int i = 0; i < 5; i++)
        RANK_CHECK(world, got[i] == 10 + i);
    RANK_CHECK(world, came.tag == 9 && came.source == previous && came.count == 1);
    return 0;
}

START_TEST(test_order_of_posting)
{
    run_all_sizes(order_of_posting, NULL);
}
END_TEST

/* Many in flight, received one by one in reverse: what fills the channel lets the wanted one pass. */
typedef struct flood {
    int messages;
    size_t bytes;
} flood;

static int many_in_reverse(muster_group *world, void *arg)
{
    const flood *flood = arg;
    int rank = muster_group_rank(world), messages = flood->messages;
    unsigned char *bytes = malloc((size_t)messages * flood->bytes);
    muster_request *requests = calloc((size_t)messages, sizeof *requests);

    RANK_CHECK(world, bytes && requests);
    if (rank == 0) {
        for (int i = 0; i < messages; i++) {
            memset(bytes + (size_t)i * flood->bytes, i * 7, flood->bytes);
            RANK_OK(world, muster_send_start(bytes + (size_t)i * flood->bytes, flood->bytes, MUSTER_UINT8, 1,
                                             i, world, &requests[i]));
        }
        RANK_OK(world, muster_wait_all(requests, (size_t)messages, 0));
    } else if (rank == 1) {
        for (int i = messages - 1; i >= 0; i--) {
            RANK_OK(world, muster_recv(bytes, flood->bytes, MUSTER_UINT8, 0, i, world, NULL));
            RANK_CHECK(world, bytes[0] == (unsigned char)(i * 7));
            RANK_CHECK(world, bytes[flood->bytes - 1] == (unsigned char)(i * 7));
        }
    }
    free(bytes);
    free(requests);
    return 0;
}

/* Both sides start all of them, the receiver in another order, and wait for any. */
static int many_at_once(muster_group *world, void *arg)
{
    const flood *flood = arg;
    int rank = muster_group_rank(world), messages = flood->messages;
    unsigned char *bytes = malloc((size_t)messages * flood->bytes);
    muster_request *requests = calloc((size_t)messages, sizeof *requests);

    RANK_CHECK(world, bytes && requests);
    for (int i = 0; i < messages; i++) {
        int tag = rank == 0 ? i : (int)((int64_t)i * 7919 % messages); /* a prime: each once */
        unsigned char *at = bytes + (size_t)tag * flood->bytes;

        memset(at, rank == 0 ? tag * 5 : 0, flood->bytes);
        if (rank == 0)
            RANK_OK(world, muster_send_start(at, flood->bytes, MUSTER_UINT8, 1, tag, world, &requests[tag]));
        else
            RANK_OK(world,
                    muster_recv_start(at, flood->bytes, MUSTER_UINT8, 0, tag, world, NULL, &requests[tag]));
    }
    for (int i = 0; i < 20; i++) {
        size_t index;

        RANK_OK(world, muster_wait_any(requests, (size_t)messages, 0, &index));
        RANK_CHECK(world, index < (size_t)messages && !requests[index].group);
        RANK_CHECK(world, bytes[index * flood->bytes] == (unsigned char)(index * 5));
    }
    RANK_OK(world, muster_wait_all(requests, (size_t)messages, 0));
    for (int i = 0; i < messages; i++)
        RANK_CHECK(world, bytes[(size_t)i * flood->bytes + flood->bytes - 1] == (unsigned char)(i * 5));
    free(bytes);
    free(requests);
    return 0;
}

START_TEST(test_ten_thousand_in_flight)
{
    flood floods[] = { { 10000, 4 }, { 10000, 300 }, { 600, 9000 }, { 40, 200000 } };

    for (int i = 0; i < 4; i++) {
        run_ranks(2, RANKS_AS_PROCESSES, many_in_reverse, &floods[i]);
        run_ranks(2, RANKS_AS_PROCESSES, many_at_once, &floods[i]);
    }
    run_ranks(2, RANKS_AS_THREADS, many_in_reverse, &floods[2]);
    run_ranks(2, RANKS_AS_THREADS, many_at_once, &floods[3]);
}
END_TEST

/* ---- completing ---- */

static int test_and_any(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), next = (rank + 1) % n;
    int previous = (rank + n - 1) % n, got[3] = { 0 }, value = 5;
    muster_request requests[3], none = MUSTER_REQUEST_INIT;
    bool done = true;
    size_t index;

    (void)arg;
    for (int i = 0; i < 3; i++)
        RANK_OK(world, muster_recv_start(&got[i], 1, MUSTER_INT32, previous, i, world, NULL, &requests[i]));
    RANK_OK(world, muster_test(&requests[1], &done));
    RANK_CHECK(world, !done && requests[1].group == world);
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_send(&value, 1, MUSTER_INT32, next, 1, world));
    RANK_OK(world, muster_wait_any(requests, 3, 0, &index));
    RANK_CHECK(world, index == 1 && got[1] == 5 && !requests[1].group);
    RANK_OK(world, muster_barrier(world)); /* nobody has sent the next one before */
    RANK_OK(world, muster_send(&value, 1, MUSTER_INT32, next, 0, world));
    do {
        RANK_OK(world, muster_test(&requests[0], &done));
    } while (!done);
    RANK_CHECK(world, got[0] == 5 && !requests[0].group);
    RANK_OK(world, muster_send(&value, 1, MUSTER_INT32, next, 2, world));
    RANK_OK(world, muster_wait_all(requests, 3, 0));
    RANK_OK(world, muster_wait_any(requests, 3, 0, &index));
    RANK_CHECK(world, index == 3);
    RANK_CHECK(world, muster_wait(&none, 0) == MUSTER_ERR_INVALID);
    return 0;
}

START_TEST(test_test_and_any)
{
    run_all_sizes(test_and_any, NULL);
}
END_TEST

/* A large message moves while both ranks are in other calls: a barrier, and other messages. */
static int progress_elsewhere(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), x = 1;
    unsigned char *large = malloc(LARGE);
    muster_request request = MUSTER_REQUEST_INIT;

    (void)arg;
    RANK_CHECK(world, large);
    for (int turn = 0; turn < 10; turn++) {
        memset(large, rank == 0 ? turn + 1 : 0, LARGE);
        if (rank == 0)
            RANK_OK(world, muster_send_start(large, LARGE, MUSTER_UINT8, 1, 4, world, &request));
        if (rank == 1)
            RANK_OK(world, muster_recv_start(large, LARGE, MUSTER_UINT8, 0, 4, world, NULL, &request));
        RANK_OK(world, muster_barrier(world));
        if (rank == 1) { /* needs nothing of rank 0 but what it does in its next receive */
            RANK_OK(world, muster_wait(&request, 0));
            RANK_CHECK(world, large[0] == turn + 1 && large[LARGE - 1] == turn + 1);
            RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, 0, 8, world));
        }
        if (rank == 0) {
            RANK_OK(world, muster_recv(&x, 1, MUSTER_INT32, 1, 8, world, NULL));
            RANK_OK(world, muster_wait(&request, 0));
        }
    }
    free(large);
    return 0;
}

START_TEST(test_progress_in_other_calls)
{
    for (int size = 2; size <= 4; size += 2) {
        run_ranks(size, RANKS_AS_PROCESSES, progress_elsewhere, NULL);
        run_ranks(size, RANKS_AS_THREADS, progress_elsewhere, NULL);
    }
}
END_TEST

/* ---- cancelling, nobody, oneself ---- */

static int cancels(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), next = (rank + 1) % n;
    int previous = (rank + n - 1) % n, got[2] = { -1, -1 }, value = 3;
    muster_request requests[2], sent;
    bool canceled = false;

    (void)arg;
    for (int i = 0; i < 2; i++)
        RANK_OK(world, muster_recv_start(&got[i], 1, MUSTER_INT32, previous, 7, world, NULL, &requests[i]));
    RANK_OK(world, muster_cancel(&requests[0], &canceled));
    RANK_CHECK(world, canceled && !requests[0].group);
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_send_start(&value, 1, MUSTER_INT32, next, 7, world, &sent));
    RANK_OK(world, muster_barrier(world)); /* it is there */
    RANK_OK(world, muster_cancel(&sent, &canceled));
    RANK_CHECK(world, !canceled && sent.group);
    RANK_OK(world, muster_wait(&sent, 0));
    RANK_OK(world, muster_wait(&requests[1], 0)); /* the second one got the message */
    RANK_CHECK(world, got[0] == -1 && got[1] == 3);
    RANK_CHECK(world, muster_cancel(&requests[0], &canceled) == MUSTER_ERR_INVALID);
    return 0;
}

START_TEST(test_cancel)
{
    run_all_sizes(cancels, NULL);
}
END_TEST

static int nobody_and_oneself(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), value = 8, got = 0;
    muster_request requests[4];
    muster_message came = MUSTER_MESSAGE_INIT;
    unsigned char *large = malloc(LARGE), *back = calloc(LARGE, 1);

    (void)arg;
    RANK_CHECK(world, large && back);
    memset(large, 9, LARGE);
    RANK_OK(world, muster_send_start(&value, 1, MUSTER_INT32, MUSTER_RANK_NONE, 0, world, &requests[0]));
    RANK_OK(world, muster_recv_start(&got, 1, MUSTER_INT32, MUSTER_RANK_NONE, 0, world, &came, &requests[1]));
    RANK_OK(world, muster_wait_all(requests, 2, 0));
    RANK_CHECK(world, got == 0 && came.source == MUSTER_RANK_NONE && came.count == 0);
    /* A large one to oneself, in both orders; and one by a call, for which a receive was started. */
    RANK_OK(world, muster_send_start(large, LARGE, MUSTER_UINT8, rank, 1, world, &requests[0]));
    RANK_OK(world, muster_recv(back, LARGE, MUSTER_UINT8, rank, 1, world, NULL));
    RANK_OK(world, muster_wait(&requests[0], 0));
    RANK_CHECK(world, back[LARGE - 1] == 9);
    memset(back, 0, LARGE);
    RANK_OK(world, muster_recv_start(back, LARGE, MUSTER_UINT8, rank, 2, world, NULL, &requests[1]));
    RANK_OK(world, muster_send_start(large, LARGE, MUSTER_UINT8, rank, 2, world, &requests[0]));
    RANK_OK(world, muster_wait_all(requests, 2, 0));
    RANK_CHECK(world, back[LARGE - 1] == 9);
    free(large);
    free(back);
    return 0;
}

START_TEST(test_nobody_and_oneself)
{
    run_all_sizes(nobody_and_oneself, NULL);
}
END_TEST

/* The others have freed the group, so nobody can send any more. */
static int everyone_leaves(muster_group *world, void *arg)
{
    muster_request request;
    muster_group *copy;
    int32_t got;

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &copy));
    if (muster_group_rank(world) == 0) {
        RANK_OK(world, muster_recv_start(&got, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, 0, copy, NULL, &request));
        RANK_CHECK(world, muster_wait(&request, 0) == MUSTER_ERR_PEER_DIED);
    }
    RANK_OK(world, muster_group_free(copy));
    RANK_OK(world, muster_barrier(world));
    return 0;
}

START_TEST(test_everyone_else_leaves)
{
    run_ranks(2, RANKS_AS_PROCESSES, everyone_leaves, NULL);
    run_ranks(3, RANKS_AS_THREADS, everyone_leaves, NULL);
}
END_TEST

/* ---- a group of one beside another ---- */

static int one_is_over(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_request requests[2];
    muster_group *alone;
    int32_t got = 0;

    (void)arg;
    RANK_OK(world, muster_group_split(world, rank, 0, &alone));
    RANK_OK(world, muster_barrier_start(alone, &requests[1]));
    RANK_OK(world, muster_recv_start(&got, 1, MUSTER_INT32, (rank + 1) % n, 0, world, NULL, &requests[0]));
    if (rank)
        pass_time_ms(60); /* so that rank 0's wait ticks */
    RANK_OK(world, muster_send(&rank, 1, MUSTER_INT32, (rank + n - 1) % n, 0, world));
    RANK_OK(world, muster_wait_all(requests, 2, 0));
    RANK_CHECK(world, got == (rank + 1) % n);
    RANK_OK(world, muster_group_free(alone));
    return 0;
}

START_TEST(test_one_is_over)
{
    run_ranks(2, RANKS_AS_PROCESSES, one_is_over, NULL);
}
END_TEST

/* ---- arena buffers ---- */

static int from_the_arena(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), next = (rank + 1) % n;
    int previous = (rank + n - 1) % n;
    unsigned char *out[12], *in[12];
    muster_request requests[24];

    (void)arg;
    for (int i = 0; i < 12; i++) { /* more views than may be under way at once */
        RANK_OK(world, muster_alloc(world, LARGE, (void **)&out[i]));
        RANK_OK(world, muster_alloc(world, LARGE, (void **)&in[i]));
    }
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < 12; i++) {
            memset(out[i], rank * 20 + i + turn, LARGE);
            RANK_OK(world, muster_send_start(out[i], LARGE, MUSTER_UINT8, next, i, world, &requests[i]));
        }
        for (int i = 11; i >= 0; i--)
            RANK_OK(world, muster_recv_start(in[i], LARGE, MUSTER_UINT8, previous, i, world, NULL,
                                             &requests[12 + i]));
        RANK_OK(world, muster_wait_all(requests, 24, 0));
        for (int i = 0; i < 12; i++)
            for (int k = 0; k < LARGE; k += 999)
                RANK_CHECK(world, in[i][k] == (unsigned char)(previous * 20 + i + turn));
    }
    return 0;
}

START_TEST(test_arena_buffers)
{
    for (int size = 1; size <= 4; size++) {
        run_ranks(size, RANKS_AS_PROCESSES, from_the_arena, NULL);
        run_ranks(size, RANKS_AS_THREADS, from_the_arena, NULL);
    }
}
END_TEST

/* ---- deaths ---- */

/* Rank 1 dies when its peers have a request in a certain state; all of them learn of it. */
typedef enum when { NOT_MATCHED, HALF_MOVED, UNANSWERED, ANY_SOURCE, STATES } when;

static int dies(muster_group *world, void *arg)
{
    when when = *(const enum when *)arg;
    int rank = muster_group_rank(world), got;
    unsigned char *large = calloc(LARGE, 10);
    muster_request request = MUSTER_REQUEST_INIT;
    muster_status status;

    RANK_CHECK(world, large);
    if (rank == 1) {
        memset(large, 1, 10 * LARGE);
        if (when == HALF_MOVED)
            RANK_OK(world, muster_send_start(large, 10 * LARGE, MUSTER_UINT8, 0, 0, world, &request));
        else
            RANK_OK(world, muster_send(large, 1, MUSTER_UINT8, 0, 5, world));
        raise(SIGKILL);
    }
    if (when == UNANSWERED)
        status = muster_send_start(large, LARGE, MUSTER_UINT8, 1, 0, world, &request);
    else if (when == ANY_SOURCE)
        status = muster_recv_start(&got, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, 3, world, NULL, &request);
    else
        status = muster_recv_start(large, 10 * LARGE, MUSTER_UINT8, 1, 0, world, NULL, &request);
    if (status == MUSTER_OK) /* else it had died before */
        status = muster_wait(&request, 0);
    /* its thread may have sent all of it, if it did not die at once */
    bool whole = when == HALF_MOVED && getenv("MUSTER_PROGRESS_THREAD") && large[10 * LARGE - 1];
    RANK_CHECK(world, status == (whole ? MUSTER_OK : MUSTER_ERR_PEER_DIED) && !request.group);
    RANK_CHECK(world, muster_recv(&got, 1, MUSTER_INT32, 0, 0, world, NULL) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 1 was killed by signal 9"));
    free(large);
    return 0;
}

START_TEST(test_the_peer_dies)
{
    for (when when = 0; when < STATES && on_one_host(); when++)
        for (int size = 2; size <= 3; size++) {
            muster_termination terminations[3];
            muster_report report = MUSTER_REPORT_INIT;

            report.terminations = terminations;
            run_failing_ranks((rank_options){ .size = size, .mode = RANKS_AS_PROCESSES }, dies, &when,
                              &report);
            for (int rank = 0; rank < size; rank++)
                ck_assert_msg(rank == 1 ? terminations[rank].code == SIGKILL : terminations[rank].code == 0,
                              "rank %d, state %d", rank, when);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("started_messages");
    TCase *tests = tcase_create("started_messages");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_everyone_at_once);
    tcase_add_test(tests, test_order_of_posting);
    tcase_add_test(tests, test_ten_thousand_in_flight);
    tcase_add_test(tests, test_test_and_any);
    tcase_add_test(tests, test_progress_in_other_calls);
    tcase_add_test(tests, test_cancel);
    tcase_add_test(tests, test_nobody_and_oneself);
    tcase_add_test(tests, test_everyone_else_leaves);
    tcase_add_test(tests, test_one_is_over);
    tcase_add_test(tests, test_arena_buffers);
    tcase_add_test(tests, test_the_peer_dies);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
