/*
 * What MPI promises of messages, as a list: one test for each promise that test_messages and
 * test_started_messages do not have already, such as every mix of wildcards against the definition of
 * matching. What ends receives, by canceling and by truncation, is in test_message_ends; fairness is in
 * test_any_source. Also run by the backend of threads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ints.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { LARGE = 300000 }; /* bytes: more than travels by itself */

static void run_pair(muster_rank_fn body)
{
    run_ranks(2, RANKS_AS_PROCESSES, body, NULL);
    run_ranks(2, RANKS_AS_THREADS, body, NULL);
}

/* ---- matching ---- */

enum { MESSAGES = 4, TAGS = 2, PATTERNS = 6 };

typedef struct pattern {
    int source, tag;
} pattern;

/* One case: tags of messages of rank 0, and receives of rank 1, of which so many are made before they come.
 */
typedef struct mix {
    int tags[MESSAGES];
    pattern receives[MESSAGES];
    int posted;
    int due[MESSAGES]; /* by receive: the message */
} mix;

static bool matches(const pattern *receive, int tag)
{
    return receive->tag == MUSTER_ANY_TAG || receive->tag == tag;
}

/* The definition. A message that comes goes to the first receive that matches; a receive that is made later
 * gets the first message that is left. False: some receive gets none. */
static bool find_due(mix *mix)
{
    bool taken[MESSAGES] = { false };

    for (int i = 0; i < MESSAGES; i++)
        mix->due[i] = -1;
    for (int m = 0; m < MESSAGES; m++)
        for (int i = 0; i < mix->posted && !taken[m]; i++)
            if (mix->due[i] < 0 && matches(&mix->receives[i], mix->tags[m])) {
                mix->due[i] = m;
                taken[m] = true;
            }
    for (int i = 0; i < MESSAGES; i++) {
        for (int m = 0; m < MESSAGES && mix->due[i] < 0; m++)
            if (i >= mix->posted && !taken[m] && matches(&mix->receives[i], mix->tags[m])) {
                mix->due[i] = m;
                taken[m] = true;
            }
        if (mix->due[i] < 0)
            return false;
    }
    return true;
}

static void make_mix(mix *mix, int number)
{
    static const pattern patterns[PATTERNS] = { { 0, 0 },
                                                { 0, 1 },
                                                { 0, MUSTER_ANY_TAG },
                                                { MUSTER_ANY_SOURCE, 0 },
                                                { MUSTER_ANY_SOURCE, 1 },
                                                { MUSTER_ANY_SOURCE, MUSTER_ANY_TAG } };

    for (int i = 0; i < MESSAGES; i++, number /= TAGS)
        mix->tags[i] = number % TAGS;
    for (int i = 0; i < MESSAGES; i++, number /= PATTERNS)
        mix->receives[i] = patterns[number % PATTERNS];
    mix->posted = number % (MESSAGES + 1);
}

static int post(muster_group *world, const pattern *receive, int *got, muster_message *came,
                muster_request *request)
{
    *got = -1;
    *came = (muster_message)MUSTER_MESSAGE_INIT;
    RANK_OK(world,
            muster_recv_start(got, 1, MUSTER_INT32, receive->source, receive->tag, world, came, request));
    return 0;
}

static int receive_mix(muster_group *world, const mix *mix)
{
    muster_request requests[MESSAGES];
    muster_message came[MESSAGES];
    int got[MESSAGES];

    for (int i = 0; i < mix->posted; i++)
        if (post(world, &mix->receives[i], &got[i], &came[i], &requests[i]))
            return 1;
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_barrier(world)); /* all are sent */
    for (int i = mix->posted; i < MESSAGES; i++)
        if (post(world, &mix->receives[i], &got[i], &came[i], &requests[i]))
            return 1;
    RANK_OK(world, muster_wait_all(requests, MESSAGES, 0));
    for (int i = 0; i < MESSAGES; i++)
        RANK_CHECK(world, got[i] == mix->due[i] && came[i].source == 0 && came[i].count == 1 &&
                              came[i].tag == mix->tags[mix->due[i]]);
    return 0;
}

static int every_mix(muster_group *world, void *arg)
{
    int cases = 16 * 1296 * (MESSAGES + 1), step = under_thread_sanitizer() ? 401 : 37; /* primes */
    mix mix;

    (void)arg;
    for (int number = 0; number < cases; number += step) {
        make_mix(&mix, number);
        if (!find_due(&mix))
            continue;
        if (muster_group_rank(world) == 1) {
            if (receive_mix(world, &mix))
                return 1;
            continue;
        }
        RANK_OK(world, muster_barrier(world));
        for (int i = 0; i < MESSAGES; i++)
            if (send_int(world, i, 1, mix.tags[i]))
                return 1;
        RANK_OK(world, muster_barrier(world));
    }
    return 0;
}

START_TEST(test_every_mix_of_wildcards)
{
    run_pair(every_mix);
}
END_TEST

/* Messages of one tag stay in order, however each of them travels, and whichever receive is completed first.
 */
static int never_overtakes(muster_group *world, void *arg)
{
    static const size_t sizes[] = { LARGE, 1, 0, 70000, 40, LARGE, 9000, 2, 65536, 3 };
    enum { COUNT = 10 };
    int rank = muster_group_rank(world);
    unsigned char *bytes[COUNT];
    muster_request requests[COUNT];
    muster_message came[COUNT];

    (void)arg;
    for (int i = 0; i < COUNT; i++)
        RANK_OK(world, muster_alloc(world, LARGE, (void **)&bytes[i]));
    for (int turn = 0; turn < 4; turn++) {
        for (int i = 0; i < COUNT; i++) {
            came[i] = (muster_message)MUSTER_MESSAGE_INIT;
            memset(bytes[i], rank == 0 ? i + turn : 0xee, LARGE);
            if (rank == 1 && i < 3 * turn) /* the others are made when messages may be there */
                RANK_OK(world, muster_recv_start(bytes[i], LARGE, MUSTER_UINT8, 0, i % 2 ? 5 : MUSTER_ANY_TAG,
                                                 world, &came[i], &requests[i]));
        }
        RANK_OK(world, muster_barrier(world));
        for (int i = rank == 1 ? 3 * turn : 0; i < COUNT; i++)
            if (rank == 0)
                RANK_OK(world,
                        muster_send_start(bytes[i], sizes[i], MUSTER_UINT8, 1, 5, world, &requests[i]));
            else
                RANK_OK(world, muster_recv_start(bytes[i], LARGE, MUSTER_UINT8, i % 2 ? MUSTER_ANY_SOURCE : 0,
                                                 5, world, &came[i], &requests[i]));
        for (int i = COUNT - 1; i >= 0; i--)
            RANK_OK(world, muster_wait(&requests[i], 0));
        for (int i = 0; i < COUNT && rank == 1; i++) {
            RANK_CHECK(world, came[i].count == sizes[i]);
            for (size_t at = 0; at < sizes[i]; at += 999)
                RANK_CHECK(world, bytes[i][at] == i + turn);
        }
        RANK_OK(world, muster_barrier(world));
    }
    return 0;
}

START_TEST(test_one_tag_never_overtakes)
{
    run_pair(never_overtakes);
}
END_TEST

/* A call and a started message are in one order. */
static int calls_and_requests(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), got[2] = { 0 }, value = 4;
    unsigned char *large = calloc(1, LARGE);
    muster_request request;

    (void)arg;
    RANK_CHECK(world, large);
    for (int turn = 0; turn < 20; turn++) {
        if (rank == 0) { /* the large one waits at the sender, and the small one must not pass it */
            RANK_OK(world, muster_send_start(large, LARGE, MUSTER_UINT8, 1, 1, world, &request));
            if (send_int(world, turn, 1, 1))
                return 1;
            RANK_OK(world, muster_wait(&request, 0));
            RANK_OK(world, muster_sendrecv(&value, 1, 1, 2, got, 1, 1, 2, MUSTER_INT32, world, NULL));
            if (send_int(world, 5, 1, 2))
                return 1;
        } else {
            RANK_OK(world, muster_recv(large, LARGE, MUSTER_UINT8, 0, MUSTER_ANY_TAG, world, NULL));
            if (expect_int(world, turn, 0, MUSTER_ANY_TAG))
                return 1;
            /* The started receive was first: the call gets the next message. */
            RANK_OK(world, muster_recv_start(&got[0], 1, MUSTER_INT32, 0, 2, world, NULL, &request));
            RANK_OK(world, muster_sendrecv(&value, 1, 0, 2, &got[1], 1, 0, 2, MUSTER_INT32, world, NULL));
            RANK_OK(world, muster_wait(&request, 0));
            RANK_CHECK(world, got[0] == 4 && got[1] == 5);
        }
    }
    free(large);
    return 0;
}

START_TEST(test_calls_and_requests_are_in_one_order)
{
    run_pair(calls_and_requests);
}
END_TEST

/* ---- nothing ---- */

/* A message of no elements in every call, with NULL for the buffer, between others that it does not disturb.
 */
static int nothing_in_every_call(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), next = (rank + 1) % n;
    int previous = (rank + n - 1) % n;
    muster_request requests[4];
    muster_message came = MUSTER_MESSAGE_INIT;
    bool found = false, canceled = false;

    (void)arg;
    came.count = 7;
    RANK_OK(world, muster_sendrecv(NULL, 0, next, 1, NULL, 0, previous, 1, MUSTER_INT16, world, &came));
    RANK_CHECK(world, came.count == 0 && came.source == previous && came.tag == 1);
    if (send_int(world, 3, next, 2))
        return 1;
    RANK_OK(world, muster_send(NULL, 0, MUSTER_FLOAT64, next, 2, world));
    RANK_OK(world, muster_send_start(NULL, 0, MUSTER_BYTES(100), next, 2, world, &requests[0]));
    if (send_int(world, 4, next, 2) || expect_int(world, 3, previous, 2))
        return 1;
    RANK_OK(world, muster_probe(MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, &came));
    RANK_CHECK(world, came.count == 0 && came.dtype == MUSTER_FLOAT64 && came.tag == 2);
    RANK_OK(world, muster_recv(NULL, 0, MUSTER_FLOAT64, previous, MUSTER_ANY_TAG, world, NULL)); /* exactly */
    do {
        RANK_OK(world, muster_iprobe(previous, 2, world, &found, &came));
    } while (!found);
    RANK_CHECK(world, came.count == 0 && came.dtype == MUSTER_BYTES(100));
    RANK_OK(world,
            muster_recv_start(NULL, 0, MUSTER_BYTES(3), MUSTER_ANY_SOURCE, 2, world, &came, &requests[1]));
    RANK_OK(world, muster_wait_all(requests, 2, 0));
    RANK_CHECK(world, came.count == 0 && came.source == previous && came.dtype == MUSTER_BYTES(100));
    if (expect_int(world, 4, previous, 2))
        return 1;
    RANK_OK(world, muster_recv_start(NULL, 0, MUSTER_UINT8, previous, 9, world, NULL, &requests[2]));
    RANK_OK(world, muster_cancel(&requests[2], &canceled));
    RANK_CHECK(world, canceled);
    RANK_OK(world, muster_send(NULL, 0, MUSTER_INT8, rank, 5, world)); /* to itself */
    RANK_OK(world, muster_recv(NULL, 0, MUSTER_INT8, rank, 5, world, NULL));
    return 0;
}

START_TEST(test_nothing_in_every_call)
{
    run_all_sizes(nothing_in_every_call, NULL);
}
END_TEST

/* ---- probes ---- */

enum { FLOOD = 120, TAKEN = 3 };

/* What is sent as number `i` has so many elements, all of that number. */
static size_t count_of(int i)
{
    return (size_t)(i * 13 % 50);
}

static int flood_of_counts(muster_group *world)
{
    int values[50];

    for (int i = 0; i < FLOOD; i++) {
        for (size_t k = 0; k < count_of(i); k++)
            values[k] = i;
        RANK_OK(world, muster_send(values, count_of(i), MUSTER_INT32, 0, i % 7, world));
    }
    return 0;
}

/* A probe of any source and tag shows what a receive of that source and tag then gets, while others come in;
 * it never shows what a started receive gets. */
static int probed_is_received(muster_group *world, void *arg)
{
    enum { SENDERS = 3, POSTED = SENDERS * 17 }; /* of 0 to 119 these are TAKEN modulo 7 */
    int rank = muster_group_rank(world), taken[POSTED][50], got[50];
    static muster_message of_taken[POSTED]; /* rank 0's */
    muster_request requests[POSTED];
    muster_message seen = MUSTER_MESSAGE_INIT, came = MUSTER_MESSAGE_INIT;
    bool found = false;

    (void)arg;
    for (int i = 0; i < POSTED && rank == 0; i++) {
        of_taken[i] = came;
        RANK_OK(world, muster_recv_start(taken[i], 50, MUSTER_INT32, MUSTER_ANY_SOURCE, TAKEN, world,
                                         &of_taken[i], &requests[i]));
    }
    RANK_OK(world, muster_barrier(world));
    if (rank)
        return flood_of_counts(world);
    for (int i = 0; i < SENDERS * FLOOD - POSTED; i++) {
        found = i % 2;
        if (found)
            RANK_OK(world, muster_probe(MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, &seen));
        while (!found)
            RANK_OK(world, muster_iprobe(MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, &found, &seen));
        RANK_CHECK(world, seen.tag != TAKEN);
        RANK_OK(world, muster_recv(got, 50, MUSTER_INT32, seen.source, seen.tag, world, &came));
        RANK_CHECK(world, came.source == seen.source && came.tag == seen.tag && came.count == seen.count);
        RANK_CHECK(world, came.count == 0 || (count_of(got[0]) == came.count && got[0] % 7 == came.tag));
    }
    RANK_OK(world, muster_wait_all(requests, POSTED, 0));
    for (int i = 0; i < POSTED; i++)
        RANK_CHECK(world, of_taken[i].tag == TAKEN &&
                              (of_taken[i].count == 0 || count_of(taken[i][0]) == of_taken[i].count));
    return 0;
}

START_TEST(test_what_was_probed_is_received)
{
    run_ranks(4, RANKS_AS_PROCESSES, probed_is_received, NULL);
    run_ranks(4, RANKS_AS_THREADS, probed_is_received, NULL);
}
END_TEST

/* ---- oneself ---- */

/* sendrecv with oneself, of any size; before it comes what was started before. */
static int with_oneself(muster_group *world, void *arg)
{
    static const size_t sizes[] = { 0, 1, 9000, 40000, 70000, LARGE };
    int rank = muster_group_rank(world);
    unsigned char *out = malloc(LARGE), *in = malloc(LARGE), *first = malloc(LARGE);
    muster_message came = MUSTER_MESSAGE_INIT;
    muster_request requests[2];

    (void)arg;
    RANK_CHECK(world, out && in && first);
    for (int i = 0; i < 6; i++) {
        size_t bytes = sizes[i];

        memset(out, i + 1, LARGE);
        memset(in, 0, LARGE);
        memset(first, 0, LARGE);
        RANK_OK(world, muster_sendrecv(out, bytes, rank, 1, in, LARGE, i % 2 ? rank : MUSTER_ANY_SOURCE,
                                       i % 3 ? 1 : MUSTER_ANY_TAG, MUSTER_UINT8, world, &came));
        RANK_CHECK(world, came.source == rank && came.tag == 1 && came.count == bytes);
        RANK_CHECK(world, bytes == 0 || (in[0] == i + 1 && in[bytes - 1] == i + 1));
        RANK_OK(world, muster_recv_start(first, bytes, MUSTER_UINT8, rank, 1, world, NULL, &requests[0]));
        RANK_OK(world, muster_send_start(out, bytes, MUSTER_UINT8, rank, 1, world, &requests[1]));
        RANK_OK(world, muster_sendrecv(&(char){ 77 }, 1, rank, 1, in, 1, rank, 1, MUSTER_UINT8, world, NULL));
        RANK_CHECK(world, in[0] == 77);
        RANK_OK(world, muster_wait_all(requests, 2, 0));
        RANK_CHECK(world, bytes == 0 || (first[0] == i + 1 && first[bytes - 1] == i + 1));
    }
    free(out);
    free(in);
    free(first);
    return 0;
}

START_TEST(test_with_oneself)
{
    run_all_sizes(with_oneself, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conformance");
    TCase *tests = tcase_create("conformance");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_every_mix_of_wildcards);
    tcase_add_test(tests, test_one_tag_never_overtakes);
    tcase_add_test(tests, test_calls_and_requests_are_in_one_order);
    tcase_add_test(tests, test_nothing_in_every_call);
    tcase_add_test(tests, test_what_was_probed_is_received);
    tcase_add_test(tests, test_with_oneself);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
