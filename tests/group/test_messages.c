/*
 * Messages with tags: what MPI promises of matching, order, wildcards and probing (edges:
 * test_message_edges.c). Each test is one promise, so that a failure says which. Also run by the backend of
 * threads.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ints.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { LARGE = 300000 }; /* bytes: more than travels by itself */

/* ---- order and tags ---- */

/* Of one tag in the order sent; of different tags in any order that the receiver likes. */
static int tags_pass_each_other(muster_group *world, void *arg)
{
    enum { TAGS = 7, EACH = 20 };
    int n = muster_group_size(world), rank = muster_group_rank(world), next = (rank + 1) % n;
    int previous = (rank + n - 1) % n;

    (void)arg;
    for (int i = 0; i < TAGS * EACH; i++)
        if (send_int(world, i, next, i % TAGS))
            return 1;
    for (int tag = TAGS - 1; tag >= 0; tag--)
        for (int i = 0; i < EACH; i++)
            if (expect_int(world, i * TAGS + tag, previous, tag))
                return 1;
    return 0;
}

START_TEST(test_tags_pass_each_other)
{
    run_all_sizes(tags_pass_each_other, NULL);
}
END_TEST

/* A receive of any tag gets the messages in the order sent, between those of exact tags. */
static int any_tag_in_order(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), next = (rank + 1) % n;
    int previous = (rank + n - 1) % n;

    (void)arg;
    for (int i = 0; i < 12; i++)
        if (send_int(world, i, next, INT32_MAX - i))
            return 1;
    if (expect_int(world, 5, previous, INT32_MAX - 5) || expect_int(world, 0, previous, INT32_MAX))
        return 1;
    for (int i = 1; i < 12; i++) {
        muster_message came = MUSTER_MESSAGE_INIT;
        int got;

        if (i == 5)
            continue;
        RANK_OK(world, muster_recv(&got, 1, MUSTER_INT32, previous, MUSTER_ANY_TAG, world, &came));
        RANK_CHECK(world, got == i && came.tag == INT32_MAX - i && came.source == previous);
        RANK_CHECK(world, came.count == 1 && came.dtype == MUSTER_INT32);
    }
    return 0;
}

START_TEST(test_any_tag_in_order)
{
    run_all_sizes(any_tag_in_order, NULL);
}
END_TEST

/* Messages of all sizes, sent in one order and received in another, each with its bytes. */
static int sizes_out_of_order(muster_group *world, void *arg)
{
    static const size_t sizes[] = { 0, 1, 40, 41, 4000, 4096, 5000, 32768, 32769, 10000 };
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    int n = muster_group_size(world), rank = muster_group_rank(world), next = (rank + 1) % n;
    int previous = (rank + n - 1) % n;
    unsigned char *buffer = malloc(40000);

    (void)arg;
    RANK_CHECK(world, buffer);
    for (int turn = 0; turn < 12; turn++) {
        for (int i = 0; i < COUNT / 2; i++) { /* together less than is buffered */
            int at = (i * 2 + turn) % COUNT;

            memset(buffer, at + rank + turn, sizes[at]);
            RANK_OK(world, muster_send(buffer, sizes[at], MUSTER_UINT8, next, at, world));
        }
        for (int i = COUNT / 2 - 1; i >= 0; i--) {
            int at = (i * 2 + turn) % COUNT;
            muster_message came = MUSTER_MESSAGE_INIT;

            memset(buffer, 0xee, 40000);
            RANK_OK(world, muster_recv(buffer, 40000, MUSTER_UINT8, previous, at, world, &came));
            RANK_CHECK(world, came.count == sizes[at] && came.tag == at && buffer[came.count] == 0xee);
            for (size_t k = 0; k < came.count; k++)
                RANK_CHECK(world, buffer[k] == (unsigned char)(at + previous + turn));
        }
        RANK_OK(world, muster_barrier(world)); /* else more than is buffered may be sent */
    }
    free(buffer);
    return 0;
}

START_TEST(test_sizes_out_of_order)
{
    run_all_sizes(sizes_out_of_order, NULL);
}
END_TEST

/* A large message that nobody has matched does not hold up a small one: the receiver asks for the small one
 * first, and the sender's next call would never come otherwise. */
static int small_passes_large(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    unsigned char *large = malloc(LARGE);

    (void)arg;
    RANK_CHECK(world, large);
    for (int turn = 0; turn < 20; turn++) {
        memset(large, rank == 0 ? turn : 0xee, LARGE);
        if (rank == 0) {
            if (send_int(world, turn, 1, 7))
                return 1;
            RANK_OK(world, muster_send(large, LARGE, MUSTER_UINT8, 1, 1, world));
        } else if (rank == 1) {
            muster_message came = MUSTER_MESSAGE_INIT;

            RANK_OK(world, muster_probe(0, 1, world, &came)); /* both are there */
            RANK_CHECK(world, came.count == LARGE && came.tag == 1 && came.source == 0);
            if (turn % 2 && expect_int(world, turn, 0, 7))
                return 1;
            RANK_OK(world, muster_recv(large, LARGE, MUSTER_UINT8, 0, 1, world, NULL));
            for (int i = 0; i < LARGE; i++)
                RANK_CHECK(world, large[i] == turn);
            if (turn % 2 == 0 && expect_int(world, turn, 0, 7))
                return 1;
        }
    }
    free(large);
    return 0;
}

/* What nobody wants fills the buffer, and the message that is wanted comes last: it passes. */
static int wanted_comes_last(muster_group *world, void *arg)
{
    enum { BYTES = 20000 };
    int rank = muster_group_rank(world);
    unsigned char *large = malloc(LARGE);

    (void)arg;
    RANK_CHECK(world, large);
    memset(large, 5, LARGE);
    if (rank == 0) {
        for (int i = 0; i < 3; i++)
            RANK_OK(world, muster_send(large, BYTES, MUSTER_UINT8, 1, 3, world));
        RANK_OK(world, muster_send(large, LARGE, MUSTER_UINT8, 1, 9, world)); /* waits for its receive */
    } else if (rank == 1) {
        RANK_OK(world, muster_recv(large, LARGE, MUSTER_UINT8, 0, 9, world, NULL));
        RANK_CHECK(world, large[0] == 5 && large[LARGE - 1] == 5);
        for (int i = 0; i < 3; i++)
            RANK_OK(world, muster_recv(large, BYTES, MUSTER_UINT8, 0, 3, world, NULL));
    }
    free(large);
    return 0;
}

START_TEST(test_messages_pass_what_is_not_wanted)
{
    for (int size = 2; size <= 4; size += 2) {
        run_ranks(size, RANKS_AS_PROCESSES, small_passes_large, NULL);
        run_ranks(size, RANKS_AS_THREADS, small_passes_large, NULL);
        run_ranks(size, RANKS_AS_PROCESSES, wanted_comes_last, NULL);
        run_ranks(size, RANKS_AS_THREADS, wanted_comes_last, NULL);
    }
}
END_TEST

/* ---- any source ---- */

/* A farm: whoever is free gets the next task; each task comes back once. */
static int farm(muster_group *world, void *arg)
{
    enum { TASKS = 500, STOP = 1, TASK = 0 };
    int n = muster_group_size(world), rank = muster_group_rank(world), task, given = 0, back = 0;
    char seen[TASKS] = { 0 };
    muster_message came = MUSTER_MESSAGE_INIT;

    (void)arg;
    if (n == 1)
        return 0;
    if (rank > 0) {
        for (;;) {
            RANK_OK(world, muster_recv(&task, 1, MUSTER_INT32, 0, MUSTER_ANY_TAG, world, &came));
            if (came.tag == STOP)
                return 0;
            if (send_int(world, task * 2, 0, task))
                return 1;
        }
    }
    for (int worker = 1; worker < n; worker++, given++)
        if (send_int(world, given, worker, TASK))
            return 1;
    while (back < TASKS) {
        RANK_OK(world, muster_recv(&task, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, &came));
        RANK_CHECK(world, came.source > 0 && came.source < n && task == came.tag * 2 && !seen[came.tag]);
        seen[came.tag] = 1;
        back++;
        if (given < TASKS && send_int(world, given++, came.source, TASK))
            return 1;
    }
    for (int worker = 1; worker < n; worker++)
        if (send_int(world, 0, worker, STOP))
            return 1;
    return 0;
}

START_TEST(test_a_farm)
{
    run_all_sizes(farm, NULL);
}
END_TEST

/* Every rank has sent many messages: a receive of any source takes one of each in turn. */
static int any_source_is_fair(muster_group *world, void *arg)
{
    enum { EACH = 30 };
    int n = muster_group_size(world), rank = muster_group_rank(world), got;

    (void)arg;
    for (int i = 0; rank > 0 && i < EACH; i++)
        if (send_int(world, i, 0, 4))
            return 1;
    RANK_OK(world, muster_barrier(world)); /* all are there */
    for (int i = 0; rank == 0 && i < EACH; i++) {
        unsigned served = 0;

        for (int k = 1; k < n; k++) {
            muster_message came = MUSTER_MESSAGE_INIT;

            RANK_OK(world, muster_recv(&got, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, 4, world, &came));
            RANK_CHECK(world, got == i); /* in order, from each */
            served |= 1U << came.source;
        }
        RANK_CHECK(world, served == (1U << n) - 2);
    }
    return 0;
}

START_TEST(test_any_source_is_fair)
{
    run_all_sizes(any_source_is_fair, NULL);
}
END_TEST

/* ---- probing ---- */

static int probes(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), next = (rank + 1) % n;
    int previous = (rank + n - 1) % n;
    double x[8] = { 0 };
    muster_message seen = MUSTER_MESSAGE_INIT;
    bool found = true;

    (void)arg;
    RANK_OK(world, muster_iprobe(previous, 3, world, &found, &seen));
    RANK_CHECK(world, !found && seen.count == 0);
    RANK_OK(world, muster_barrier(world));
    for (size_t i = 1; i <= 8; i++)
        RANK_OK(world, muster_send(x, i, MUSTER_FLOAT64, next, (int)i, world));
    for (int i = 8; i >= 1; i--) {
        RANK_OK(world, muster_probe(previous, i, world, &seen));
        RANK_CHECK(world, seen.source == previous && seen.tag == i && seen.count == (size_t)i &&
                              seen.dtype == MUSTER_FLOAT64);
        RANK_OK(world, muster_iprobe(previous, i, world, &found, NULL));
        RANK_CHECK(world, found);
        RANK_OK(world, muster_probe(MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, &seen)); /* the first one */
        RANK_CHECK(world, seen.tag == 1 && seen.source == previous);
        if (i > 1)
            RANK_OK(world, muster_recv(x, (size_t)i, MUSTER_FLOAT64, previous, i, world, NULL));
    }
    RANK_OK(world, muster_recv(x, 1, MUSTER_FLOAT64, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, NULL));
    found = true;
    RANK_OK(world, muster_iprobe(MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, &found, NULL));
    RANK_CHECK(world, !found);
    return 0;
}

START_TEST(test_probes)
{
    run_all_sizes(probes, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("messages");
    TCase *tests = tcase_create("messages");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_tags_pass_each_other);
    tcase_add_test(tests, test_any_tag_in_order);
    tcase_add_test(tests, test_sizes_out_of_order);
    tcase_add_test(tests, test_messages_pass_what_is_not_wanted);
    tcase_add_test(tests, test_a_farm);
    tcase_add_test(tests, test_any_source_is_fair);
    tcase_add_test(tests, test_probes);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
