/*
 * Messages at the edges of what MPI promises: to nobody, to oneself, of no elements, of another type or size
 * than was expected, and with arguments that make no sense. Also run by the backend of threads.
 */
#include <string.h>

#include "tests/harness/ints.h"
#include "tests/harness/ranks.h"

#define LARGE 300000 /* int32: more than is buffered */

/* ---- nobody, oneself, no elements ---- */

static int nobody(muster_group *world, void *arg)
{
    int x = 5;
    muster_message came = MUSTER_MESSAGE_INIT;
    bool found = false;

    (void)arg;
    RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, MUSTER_RANK_NONE, 3, world));
    came.source = 7;
    RANK_OK(world, muster_recv(&x, 1, MUSTER_INT32, MUSTER_RANK_NONE, 3, world, &came));
    RANK_CHECK(world, came.source == MUSTER_RANK_NONE && came.tag == MUSTER_ANY_TAG && came.count == 0);
    RANK_OK(world, muster_recv(&x, 1, MUSTER_INT32, MUSTER_RANK_NONE, 3, world, NULL));
    RANK_CHECK(world, x == 5);
    RANK_OK(world, muster_sendrecv(&x, 1, MUSTER_RANK_NONE, 0, &came.count, 1, MUSTER_RANK_NONE, 0,
                                   MUSTER_INT32, world, NULL));
    RANK_OK(world, muster_sendrecv(&x, 1, MUSTER_RANK_NONE, 0, &x, 1, MUSTER_RANK_NONE, 0, MUSTER_INT32,
                                   world, NULL));
    RANK_OK(world, muster_send(NULL, 1, MUSTER_INT32, MUSTER_RANK_NONE, 3, world));
    RANK_OK(world, muster_recv(NULL, 1, MUSTER_INT32, MUSTER_RANK_NONE, 3, world, NULL));
    RANK_OK(world, muster_probe(MUSTER_RANK_NONE, 0, world, &came));
    RANK_OK(world, muster_iprobe(MUSTER_RANK_NONE, 0, world, &found, &came));
    RANK_CHECK(world, found && came.source == MUSTER_RANK_NONE);
    return 0;
}

/* A line of ranks: the first and the last have one neighbour. */
static int line(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), got = -1;
    int left = rank > 0 ? rank - 1 : MUSTER_RANK_NONE, right = rank < n - 1 ? rank + 1 : MUSTER_RANK_NONE;

    (void)arg;
    RANK_OK(world, muster_sendrecv(&rank, 1, right, 1, &got, 1, left, 1, MUSTER_INT32, world, NULL));
    RANK_CHECK(world, got == (rank > 0 ? rank - 1 : -1));
    return 0;
}

START_TEST(test_nobody)
{
    run_all_sizes(nobody, NULL);
    run_all_sizes(line, NULL);
}
END_TEST

static int oneself_in(muster_group *world)
{
    int rank = muster_group_rank(world);
    muster_message came = MUSTER_MESSAGE_INIT;
    int got;

    for (int i = 0; i < 50; i++)
        if (send_int(world, i, rank, i))
            return 1;
    for (int i = 49; i >= 1; i--)
        if (expect_int(world, i, rank, i))
            return 1;
    RANK_OK(world, muster_recv(&got, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, &came));
    RANK_CHECK(world, got == 0 && came.source == rank);
    return 0;
}

/* What waits in one group for its rank does not come in another, where that has another number. */
static int oneself(muster_group *world, void *arg)
{
    int size = muster_group_size(world), rank = muster_group_rank(world), ranks[8], back = size - 1 - rank;
    muster_group *twin, *turned, *alone;

    (void)arg;
    for (int i = 0; i < size; i++)
        ranks[i] = size - 1 - i;
    RANK_OK(world, muster_group_dup(world, &twin));
    RANK_OK(world, muster_group_subset(world, ranks, size, &turned));
    RANK_OK(world, muster_group_subset(world, &rank, 1, &alone));
    if (send_int(world, 1000, rank, 0) || send_int(twin, 1001, rank, 0) || send_int(turned, 1002, back, 0) ||
        send_int(alone, 1003, 0, 0))
        return 1;
    if (expect_int(alone, 1003, 0, 0) || expect_int(turned, 1002, back, 0) ||
        expect_int(twin, 1001, rank, 0) || expect_int(world, 1000, rank, 0))
        return 1;
    if (oneself_in(world) || oneself_in(twin) || oneself_in(turned) || oneself_in(alone))
        return 1;
    RANK_OK(world, muster_group_free(alone));
    RANK_OK(world, muster_group_free(turned));
    RANK_OK(world, muster_group_free(twin));
    return 0;
}

START_TEST(test_oneself)
{
    run_all_sizes(oneself, NULL);
}
END_TEST

typedef struct half {
    int source, tag;
} half;

/* `says`: what to do. */
static int refused(muster_group *world, muster_status status, const char *says)
{
    RANK_CHECK(world, status == MUSTER_ERR_INVALID);
    RANK_CHECK(world,
               strstr(muster_error_detail(), "bytes to oneself") && strstr(muster_error_detail(), says));
    return 0;
}

/* What a rank sends to itself in a sendrecv that receives something else is refused as a send of it is, and
 * nothing has happened. */
static int received_by_nobody(muster_group *world, int32_t *large, int32_t *in)
{
    static const char start_one[] = "start a receive for it first";
    int n = muster_group_size(world), rank = muster_group_rank(world), x = 6;
    muster_message came = MUSTER_MESSAGE_INIT;
    half halves[] = { { rank, 2 }, { MUSTER_ANY_SOURCE, 2 }, { (rank + 1) % n, n > 1 ? 1 : 3 } };

    for (int i = 0; i < 3; i++)
        if (refused(world,
                    muster_sendrecv(large, LARGE, rank, 1, in, LARGE, halves[i].source, halves[i].tag,
                                    MUSTER_INT32, world, &came),
                    start_one))
            return 1;
    if (refused(world, muster_send(large, LARGE, MUSTER_INT32, rank, 1, world), start_one))
        return 1;
    RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, rank, 1, world)); /* which a receive of the tag gets */
    if (refused(world, muster_sendrecv(large, LARGE, rank, 1, in, LARGE, rank, 1, MUSTER_INT32, world, &came),
                start_one))
        return 1;
    return expect_int(world, 6, rank, 1);
}

/* And these are not refused: it is received by this call, or by a receive that has been started. */
static int received_by_oneself(muster_group *world, int32_t *large, int32_t *in)
{
    int rank = muster_group_rank(world), got = 0;
    half halves[] = {
        { rank, 1 }, { rank, MUSTER_ANY_TAG }, { MUSTER_ANY_SOURCE, 1 }, { MUSTER_ANY_SOURCE, MUSTER_ANY_TAG }
    };
    muster_message came = MUSTER_MESSAGE_INIT;
    muster_request request;

    for (int i = 0; i < 4; i++) {
        large[LARGE - 1] = i + 1;
        RANK_OK(world, muster_sendrecv(large, LARGE, rank, 1, in, LARGE, halves[i].source, halves[i].tag,
                                       MUSTER_INT32, world, &came));
        RANK_CHECK(world, came.count == LARGE && in[LARGE - 1] == i + 1);
    }
    for (int i = 0; i < 2; i++) {
        large[LARGE - 1] = i + 7;
        RANK_OK(world, muster_recv_start(in, LARGE, MUSTER_INT32, rank, 1, world, NULL, &request));
        RANK_OK(world, muster_send(&rank, 1, MUSTER_INT32, rank, 2, world));
        if (i)
            RANK_OK(world, muster_send(large, LARGE, MUSTER_INT32, rank, 1, world));
        else
            RANK_OK(world,
                    muster_sendrecv(large, LARGE, rank, 1, &got, 1, rank, 2, MUSTER_INT32, world, NULL));
        RANK_OK(world, muster_wait(&request, 0));
        RANK_CHECK(world, in[LARGE - 1] == i + 7);
    }
    return expect_int(world, rank, rank, 2);
}

/* As much as is buffered; then one that fits no more is sent while another one is received. */
static int passes_what_is_full(muster_group *world)
{
    int rank = muster_group_rank(world), sent = 0, got;
    muster_status status;

    while ((status = muster_send(&sent, 1, MUSTER_INT32, rank, 2, world)) == MUSTER_OK)
        sent++;
    if (refused(world, status, "; receive first"))
        return 1;
    if (refused(world, muster_sendrecv(&sent, 1, rank, 1, &got, 1, rank, 3, MUSTER_INT32, world, NULL),
                "; receive first"))
        return 1;
    RANK_OK(world, muster_sendrecv(&sent, 1, rank, 1, &got, 1, rank, 2, MUSTER_INT32, world, NULL));
    RANK_CHECK(world, got == 0);
    for (int i = 1; i < sent; i++)
        if (expect_int(world, i, rank, 2))
            return 1;
    return expect_int(world, sent, rank, 1);
}

static int large_for_oneself(muster_group *world, void *arg)
{
    static int32_t large[LARGE], in[LARGE];

    (void)arg;
    RANK_OK(world, muster_barrier(world)); /* where ranks are threads, each comes alone */
    for (int rank = 0; rank < muster_group_size(world); rank++) {
        if (rank == muster_group_rank(world) &&
            (received_by_nobody(world, large, in) || received_by_oneself(world, large, in) ||
             passes_what_is_full(world)))
            return 1;
        RANK_OK(world, muster_barrier(world));
    }
    return 0;
}

START_TEST(test_a_large_one_for_oneself)
{
    for (int size = 1; size <= 3; size++) { /* processes first: a wait that never ends is found there */
        run_ranks(size, RANKS_AS_PROCESSES, large_for_oneself, NULL);
        run_ranks(size, RANKS_AS_THREADS, large_for_oneself, NULL);
    }
}
END_TEST

/* No elements are of any dtype, as the end of a list of tasks in MPI's programs. */
static int zero(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), next = (rank + 1) % n;
    double task = 5;
    muster_message came = MUSTER_MESSAGE_INIT;

    (void)arg;
    for (int tag = 0; tag < 4; tag++)
        RANK_OK(world, muster_send(NULL, 0, MUSTER_UINT8, next, tag, world));
    for (int tag = 3; tag >= 0; tag--) {
        came.count = 9;
        RANK_OK(world, muster_recv(&task, 1, MUSTER_FLOAT64, MUSTER_ANY_SOURCE, tag, world, &came));
        RANK_CHECK(world, came.count == 0 && came.tag == tag && came.dtype == MUSTER_UINT8 && task == 5);
    }
    return 0;
}

START_TEST(test_zero_counts)
{
    run_all_sizes(zero, NULL);
}
END_TEST

/* ---- what does not fit ---- */

typedef struct misfit {
    size_t sent, room;
    muster_dtype dtype;
    bool with_result;
    const char *sentence;
} misfit;

static int does_not_fit(muster_group *world, void *arg)
{
    const misfit *misfit = arg;
    int rank = muster_group_rank(world);
    muster_message came = MUSTER_MESSAGE_INIT;
    char buffer[64 * 8] = { 0 };
    muster_status status;

    if (rank == 0) {
        status = muster_send(buffer, misfit->sent, MUSTER_INT32, 1, 2, world);
        if (status == MUSTER_OK) /* it was buffered */
            status = muster_recv(buffer, 1, MUSTER_INT32, 1, 0, world, NULL);
    } else {
        status = muster_recv(buffer, misfit->room, misfit->dtype, 0, MUSTER_ANY_TAG, world,
                             misfit->with_result ? &came : NULL);
    }
    RANK_CHECK(world, status == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(), misfit->sentence));
    return 0;
}

START_TEST(test_what_does_not_fit_is_a_mismatch_on_both)
{
    misfit misfits[] = {
        { 3, 2, MUSTER_INT32, false,
          "rank 1 expected a message of int32 x 2 from rank 0, which sent int32 x 3" },
        { 2, 3, MUSTER_INT32, false, "of int32 x 3 from rank 0, which sent int32 x 2 with tag 2" },
        { 3, 2, MUSTER_INT32, true, "of int32 x up to 2 from rank 0, which sent int32 x 3" },
        { 3, 3, MUSTER_FLOAT32, true, "of float32 x up to 3 from rank 0, which sent int32 x 3" },
    };

    for (size_t i = 0; i < sizeof misfits / sizeof misfits[0]; i++) {
        run_ranks(2, RANKS_AS_PROCESSES, does_not_fit, &misfits[i]);
        run_ranks(2, RANKS_AS_THREADS, does_not_fit, &misfits[i]);
    }
}
END_TEST

static int bad_arguments(muster_group *world, void *arg)
{
    int n = muster_group_size(world), x = 0;
    muster_message not_set = { 0 };
    bool found;

    (void)arg;
    RANK_CHECK(world, muster_send(&x, 1, MUSTER_INT32, n, 0, world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_send(&x, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, 0, world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_send(&x, 1, MUSTER_INT32, 0, MUSTER_ANY_TAG, world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), "-1 is not a tag"));
    RANK_CHECK(world, muster_recv(&x, 1, MUSTER_INT32, -3, 0, world, NULL) == MUSTER_ERR_INVALID &&
                          strstr(muster_error_detail(), "MUSTER_RANK_NONE or MUSTER_ANY_SOURCE"));
    RANK_CHECK(world, muster_recv(&x, 1, MUSTER_INT32, 0, -2, world, NULL) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_recv(&x, 1, MUSTER_INT32, 0, 0, world, &not_set) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), "MUSTER_MESSAGE_INIT"));
    RANK_CHECK(world, muster_probe(n, 0, world, NULL) == MUSTER_ERR_INVALID);
    for (int i = 0; i < 2; i++) { /* also to and from nobody, where nothing would move */
        size_t count = (i ? SIZE_MAX : PTRDIFF_MAX) / sizeof x + 1;

        RANK_CHECK(world,
                   muster_send(&x, count, MUSTER_INT32, MUSTER_RANK_NONE, 0, world) == MUSTER_ERR_INVALID);
        RANK_CHECK(world, strstr(muster_error_detail(), "send: more elements than memory can have"));
        RANK_CHECK(world, muster_recv(&x, count, MUSTER_INT32, MUSTER_RANK_NONE, 0, world, NULL) ==
                              MUSTER_ERR_INVALID);
        RANK_CHECK(world, strstr(muster_error_detail(), "recv: more elements than memory can have"));
    }
    RANK_CHECK(world, muster_iprobe(0, 0, world, NULL, NULL) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_iprobe(0, -5, world, &found, NULL) == MUSTER_ERR_INVALID);
    RANK_OK(world, muster_barrier(world)); /* nothing is broken */
    return 0;
}

START_TEST(test_bad_arguments_are_refused_in_words)
{
    run_all_sizes(bad_arguments, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edges of messages");
    TCase *tests = tcase_create("edges of messages");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_nobody);
    tcase_add_test(tests, test_oneself);
    tcase_add_test(tests, test_a_large_one_for_oneself);
    tcase_add_test(tests, test_zero_counts);
    tcase_add_test(tests, test_what_does_not_fit_is_a_mismatch_on_both);
    tcase_add_test(tests, test_bad_arguments_are_refused_in_words);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
