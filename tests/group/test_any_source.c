/*
 * Receives from any source: many at once get each message once, and whoever sends is served in turn. Also run
 * by the backend of threads.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

/* 10 000 receives of any source and tag: each message once, and those of each source in the order sent. */
static int ten_thousand_of_any(muster_group *world, void *arg)
{
    enum { COUNT = 10000, SENDERS = 3 };
    int rank = muster_group_rank(world), latest[SENDERS + 1] = { -1, -1, -1, -1 };
    int *values = malloc(COUNT * sizeof *values), mine = rank ? COUNT / SENDERS + (rank == 1) : 0;
    muster_message *came = calloc(COUNT, sizeof *came);
    muster_request *requests = calloc(COUNT, sizeof *requests);

    (void)arg;
    RANK_CHECK(world, values && came && requests);
    for (int i = 0; i < COUNT && rank == 0; i++) {
        came[i] = (muster_message)MUSTER_MESSAGE_INIT;
        RANK_OK(world, muster_recv_start(&values[i], 1, MUSTER_INT32, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG,
                                         world, &came[i], &requests[i]));
    }
    for (int i = 0; i < mine; i++) {
        values[i] = i;
        RANK_OK(world, muster_send_start(&values[i], 1, MUSTER_INT32, 0, i % 11, world, &requests[i]));
    }
    RANK_OK(world, muster_wait_all(requests, COUNT, 0));
    for (int i = 0; i < COUNT && rank == 0; i++) {
        int source = came[i].source;

        RANK_CHECK(world, source > 0 && source <= SENDERS && values[i] == ++latest[source]);
        RANK_CHECK(world, came[i].tag == values[i] % 11);
    }
    RANK_CHECK(world, rank || latest[1] + latest[2] + latest[3] == COUNT - 3);
    free(values);
    free(came);
    free(requests);
    return 0;
}

START_TEST(test_ten_thousand_of_any_source)
{
    run_ranks(4, RANKS_AS_PROCESSES, ten_thousand_of_any, NULL);
    run_ranks(4, RANKS_AS_THREADS, ten_thousand_of_any, NULL);
}
END_TEST

/* Three senders flood rank 0, and none starves: as long as each of them has sent something, each is served as
 * often as any other, to within one. */
static int floods(muster_group *world, void *arg)
{
    enum { BYTES = 4000, EACH = 400, SURE = 36 };
    bool starts = *(const bool *)arg;
    int rank = muster_group_rank(world), served[4] = { 0 }, least, most;
    unsigned char bytes[BYTES] = { 0 };
    muster_request request;
    muster_message came = MUSTER_MESSAGE_INIT;

    for (int i = 0; i < EACH && rank; i++) {
        if (i == SURE / 3)
            RANK_OK(world, muster_barrier(world)); /* so many of each are there */
        RANK_OK(world, muster_send(bytes, BYTES, MUSTER_UINT8, 0, i % 3, world));
    }
    if (rank)
        return 0;
    RANK_OK(world, muster_barrier(world));
    for (int i = 0; i < 3 * EACH; i++) {
        if (starts) {
            RANK_OK(world, muster_recv_start(bytes, BYTES, MUSTER_UINT8, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG,
                                             world, &came, &request));
            RANK_OK(world, muster_wait(&request, 0));
        } else {
            RANK_OK(world,
                    muster_recv(bytes, BYTES, MUSTER_UINT8, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, &came));
        }
        served[came.source]++;
        least = most = served[1];
        for (int sender = 2; sender < 4; sender++) {
            least = served[sender] < least ? served[sender] : least;
            most = served[sender] > most ? served[sender] : most;
        }
        RANK_CHECK(world, i >= SURE || most - least <= 1);
    }
    RANK_CHECK(world, served[1] == EACH && served[2] == EACH && served[3] == EACH);
    return 0;
}

/* Many receives were started before, and the messages of all came while rank 0 was in no call: the sources
 * are served in turn, not one after the other. */
static int started_before(muster_group *world, void *arg)
{
    enum { EACH = 20, SENDERS = 3, ALL = EACH * SENDERS };
    int rank = muster_group_rank(world), values[ALL];
    _Atomic int *sent = arg;
    muster_message came[ALL];
    muster_request requests[ALL];

    for (int i = 0; i < ALL && rank == 0; i++) {
        came[i] = (muster_message)MUSTER_MESSAGE_INIT;
        RANK_OK(world, muster_recv_start(&values[i], 1, MUSTER_INT32, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG,
                                         world, &came[i], &requests[i]));
    }
    if (rank == 0)
        *sent = 1;
    else
        AWAIT(*sent);
    for (int i = 0; i < EACH && rank; i++)
        RANK_OK(world, muster_send(&i, 1, MUSTER_INT32, 0, rank, world));
    if (rank)
        ++*sent;
    if (rank)
        return 0;
    AWAIT(*sent == 1 + SENDERS);
    RANK_OK(world, muster_wait_all(requests, ALL, 0));
    for (int i = 0; i < ALL; i += SENDERS) {
        unsigned served = 0;

        for (int k = 0; k < SENDERS; k++)
            served |= 1U << came[i + k].source;
        RANK_CHECK(world, served == 0xe);
    }
    return 0;
}

/* One message of rank 1, which is there, is among the next three, though the others flood on. */
static int one_among_floods(muster_group *world, void *arg)
{
    enum { FLOOD = 300 };
    _Atomic int *sent = arg;
    int rank = muster_group_rank(world), value, seen = 0;
    muster_message came = MUSTER_MESSAGE_INIT;

    for (int i = 0; i < (rank == 1 ? 1 : FLOOD) && rank; i++)
        RANK_OK(world, muster_send(&rank, 1, MUSTER_INT32, 0, 1, world));
    if (rank == 1)
        *sent = 1;
    if (rank)
        return 0;
    AWAIT(*sent);
    for (int i = 0; i < 2 * FLOOD + 1; i++) {
        RANK_OK(world, muster_recv(&value, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, 1, world, &came));
        RANK_CHECK(world, value == came.source);
        seen += value == 1;
        RANK_CHECK(world, i < 2 || seen == 1);
    }
    return 0;
}

START_TEST(test_no_sender_starves)
{
    for (int i = 0; i < 2; i++) {
        bool starts = i;

        run_ranks(4, RANKS_AS_PROCESSES, floods, &starts);
        run_ranks(4, RANKS_AS_THREADS, floods, &starts);
    }
    _Atomic int *sent = shared_page(sizeof *sent);
    run_ranks(4, RANKS_AS_PROCESSES, one_among_floods, sent);
    *sent = 0;
    run_ranks(4, RANKS_AS_THREADS, one_among_floods, sent);
    *sent = 0;
    if (on_one_host()) /* elsewhere a message is received as it comes */
        run_ranks(4, RANKS_AS_PROCESSES, started_before, sent);
    shared_page_free(sent, sizeof *sent);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("any source");
    TCase *tests = tcase_create("any source");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_ten_thousand_of_any_source);
    tcase_add_test(tests, test_no_sender_starves);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
