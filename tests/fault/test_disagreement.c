/*
 * Ranks that disagree, wait too long, abort, share a group between threads, or fork: the same answer
 * on every rank, with both sides in the sentence, before any data has moved.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

/* ---- every pair of different requests ---- */

typedef struct request {
    const char *text; /* how the error should name it */
    int which;
} request;

/* clang-format off */
static const request requests[] = {
    { "all_sum (float32 x 100)", 0 },     { "all_sum (float32 x 101)", 1 },
    { "all_sum (int32 x 100)", 2 },       { "all_max (float32 x 100)", 3 },
    { "all_reduce(prod) (float32 x 100)", 4 }, { "all_gather (float32 x 100)", 5 },
    { "sum_scatter (float32 x 100)", 6 }, { "broadcast (float32 x 100, root 0)", 7 },
    { "broadcast (float32 x 100, root 1)", 8 }, { "reduce(sum) (float32 x 100, root 0)", 9 },
    { "gather (float32 x 100, root 0)", 10 }, { "scatter (float32 x 100, root 0)", 11 },
    { "all_to_all (float32 x 100)", 12 }, { "barrier", 13 },
    { "scan(sum) (float32 x 100)", 14 }, { "exscan(sum) (float32 x 100)", 15 },
    { "all_gatherv (float32 x ", 16 }, { "scatterv (float32 x ", 17 },
};
/* clang-format on */
#define REQUESTS (int)(sizeof requests / sizeof requests[0])

static muster_status make_varied(int which, muster_group *group, float *in, float *out)
{
    size_t counts[8];

    for (int rank = 0; rank < muster_group_size(group); rank++)
        counts[rank] = 100;
    if (which == 16)
        return muster_all_gatherv(in, 100, out, counts, NULL, MUSTER_FLOAT32, group);
    return muster_scatterv(in, counts, NULL, out, 100, MUSTER_FLOAT32, 0, group);
}

static muster_status make(int which, muster_group *group, float *in, float *out)
{
    switch (which) {
    case 0:
        return muster_all_sum(in, out, 100, MUSTER_FLOAT32, group);
    case 1:
        return muster_all_sum(in, out, 101, MUSTER_FLOAT32, group);
    case 2:
        return muster_all_sum(in, out, 100, MUSTER_INT32, group);
    case 3:
        return muster_all_max(in, out, 100, MUSTER_FLOAT32, group);
    case 4:
        return muster_all_reduce(in, out, 100, MUSTER_FLOAT32, MUSTER_PROD, group);
    case 5:
        return muster_all_gather(in, out, 100, MUSTER_FLOAT32, group);
    case 6:
        return muster_sum_scatter(in, out, 100, MUSTER_FLOAT32, group);
    case 7:
    case 8:
        return muster_broadcast(in, out, 100, MUSTER_FLOAT32, which - 7, group);
    case 9:
        return muster_reduce(in, out, 100, MUSTER_FLOAT32, MUSTER_SUM, 0, group);
    case 10:
        return muster_gather(in, out, 100, MUSTER_FLOAT32, 0, group);
    case 11:
        return muster_scatter(in, out, 100, MUSTER_FLOAT32, 0, group);
    case 12:
        return muster_all_to_all(in, out, 100, MUSTER_FLOAT32, group);
    case 14:
        return muster_scan(in, out, 100, MUSTER_FLOAT32, MUSTER_SUM, group);
    case 15:
        return muster_exscan(in, out, 100, MUSTER_FLOAT32, MUSTER_SUM, group);
    case 16:
    case 17:
        return make_varied(which, group, in, out);
    default:
        return muster_barrier(group);
    }
}

/* Rank `odd` asks for b, the others for a; on a group of its own for each pair. All have asked for a before,
 * up to four times: a call that is repeated tells less. */
static int disagree(muster_group *world, void *arg)
{
    static _Thread_local float in[8 * 128], out[8 * 128];
    int n = muster_group_size(world), rank = muster_group_rank(world);

    (void)arg;
    for (int a = 0; a < REQUESTS && n > 1; a++)
        for (int b = 0; b < REQUESTS; b++) {
            int odd = (a + b) % n;
            const char *first = requests[odd == 0 ? b : a].text, *other = requests[odd == 0 ? a : b].text;
            muster_group *group;

            if (a == b)
                continue;
            RANK_OK(world, muster_group_split(world, 0, -1, &group));
            for (int before = 0; before < (a + 2 * b) % 5; before++)
                RANK_OK(world, make(a, group, in, out));
            out[0] = 12345;
            RANK_CHECK(world, make(rank == odd ? b : a, group, in, out) == MUSTER_ERR_MISMATCH);
            RANK_CHECK(world, strstr(muster_error_detail(), first) && strstr(muster_error_detail(), other));
            RANK_CHECK(world, out[0] == 12345); /* no data has moved */
            RANK_CHECK(world, muster_barrier(group) == MUSTER_ERR_MISMATCH);
            RANK_CHECK(world, strstr(muster_error_detail(), first));
            RANK_OK(world, muster_group_free(group));
        }
    return 0;
}

/* With one staging: nothing is staged. */
START_TEST(test_every_disagreement)
{
    for (int size = 1; size <= 8; size++) {
        run_ranks(size, RANKS_AS_THREADS, disagree, NULL);
        if (!under_thread_sanitizer())
            run_ranks(size, RANKS_AS_PROCESSES, disagree, NULL);
    }
}
END_TEST

/* What is wanted of eight int32. */
typedef struct wish {
    size_t count;
    muster_dtype dtype;
    const char *words;
} wish;

static int message_mismatch(muster_group *world, void *arg)
{
    const wish *wish = arg;
    int rank = muster_group_rank(world);
    int32_t x[8] = { 0 };
    muster_error_info info = MUSTER_ERROR_INFO_INIT;

    if (rank == 0) {
        RANK_OK(world, muster_send(x, 8, MUSTER_INT32, 1, 0, world)); /* buffered: this rank learns it next */
        muster_status status;
        while ((status = muster_send(x, 8, MUSTER_INT32, 1, 0, world)) == MUSTER_OK)
            continue;
        RANK_CHECK(world, status == MUSTER_ERR_MISMATCH);
    } else if (rank == 1) {
        RANK_CHECK(world, muster_recv(x, wish->count, wish->dtype, 0, 0, world, NULL) == MUSTER_ERR_MISMATCH);
    } else {
        RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_MISMATCH);
    }
    RANK_OK(world, muster_last_error(&info));
    RANK_CHECK(world, info.rank == (rank == 0 && tells_of_the_other())); /* others: of the sender */
    RANK_CHECK(world,
               strstr(muster_error_detail(), wish->words) && strstr(muster_error_detail(), "int32 x 8"));
    return 0;
}

START_TEST(test_messages_that_do_not_fit)
{
    wish wishes[] = { { 4, MUSTER_FLOAT32, "float32 x 4" },
                      { 8, MUSTER_FLOAT32, "float32 x 8" }, /* as many bytes */
                      { 4, MUSTER_INT32, "int32 x 4" } };

    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        run_ranks(3, RANKS_AS_THREADS, message_mismatch, &wishes[i]);
        run_ranks(3, RANKS_AS_PROCESSES, message_mismatch, &wishes[i]);
    }
}
END_TEST

/* ---- deadlines ---- */

static int miss_a_deadline(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    _Atomic int *looks = arg;
    muster_group *group;
    float x = 0;

    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    if (rank == 2)
        RANK_OK(world, muster_group_set_interrupt(group, count_looks, arg));
    if (rank == 0) {
        RANK_OK(world, muster_group_set_timeout(group, 300LL * 1000 * 1000));
        AWAIT(*looks > 0); /* rank 2 is there */
    }
    if (rank == 0 || rank == 2) { /* 1 and 3 do not enter */
        RANK_CHECK(world, muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, group) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, strstr(muster_error_detail(), "all_sum (float32 x 1)"));
        /* Of other hosts a rank knows less. */
        RANK_CHECK(world, strstr(muster_error_detail(), on_one_host() ? " 1 3" : "for rank"));
    }
    AWAIT(muster_group_status(group) != MUSTER_OK); /* 1 and 3 stay until the others have given up */
    RANK_CHECK(world, muster_group_status(group) == MUSTER_ERR_TIMED_OUT);
    RANK_OK(world, muster_group_free(group));
    return 0;
}

static int miss_a_message(muster_group *world, void *arg)
{
    float x = 0;

    (void)arg;
    if (muster_group_rank(world) == 1) {
        RANK_CHECK(world, muster_recv(&x, 1, MUSTER_FLOAT32, 0, 0, world, NULL) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, strstr(muster_error_detail(), "recv (float32 x 1, tag 0) for rank 0 to send"));
    }
    AWAIT(muster_group_status(world) != MUSTER_OK);
    return 0;
}

static muster_status split_off_all(muster_group *group, muster_group **made)
{
    return muster_group_split(group, 0, -1, made);
}

/* A group has a deadline of its own, also for what is started and for groups made from it; the world has
 * none. */
static int set_a_deadline(muster_group *world, void *arg)
{
    int64_t soon_ns = 200LL * 1000 * 1000, limit_ns = soon_ns;
    muster_request request = MUSTER_REQUEST_INIT;
    muster_group *groups[4];
    float x = 0, y = 0;

    (void)arg;
    for (int i = 0; i < 2; i++)
        RANK_OK(world, muster_group_split(world, 0, -1, &groups[i]));
    RANK_CHECK(world, muster_group_set_timeout(world, -1) == MUSTER_ERR_INVALID);
    for (int i = 0; i < 2; i++)
        RANK_OK(world, muster_group_set_timeout(groups[i], soon_ns));
    RANK_OK(world, make_within(world, &limit_ns, split_off_all, &groups[2], &groups[3]));
    if (muster_group_rank(world) == 0) {
        RANK_CHECK(world, muster_barrier(groups[0]) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, strstr(muster_error_detail(), "waited 0.2 s"));
        RANK_CHECK(world, muster_recv(&x, 1, MUSTER_FLOAT32, 1, 0, groups[1], NULL) == MUSTER_ERR_TIMED_OUT);
        RANK_OK(world, muster_all_reduce_start(&x, &y, 1, MUSTER_FLOAT32, MUSTER_SUM, groups[2], &request));
        RANK_CHECK(world, muster_wait(&request, 0) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, muster_barrier(groups[3]) == MUSTER_ERR_TIMED_OUT);
    }
    /* The others wait nowhere, which would close a cycle, until rank 0 has given up. */
    AWAIT(muster_group_status(groups[3]) != MUSTER_OK);
    RANK_OK(world, muster_barrier(world));
    for (int i = 0; i < 4; i++)
        RANK_OK(world, muster_group_free(groups[i]));
    return 0;
}

START_TEST(test_deadlines_of_groups)
{
    run_ranks(3, RANKS_AS_THREADS, set_a_deadline, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, set_a_deadline, NULL);
}
END_TEST

START_TEST(test_deadlines_name_who_is_missing)
{
    _Atomic int *looks = shared_page(sizeof *looks);

    for (int mode = RANKS_AS_PROCESSES; mode <= RANKS_AS_THREADS; mode++) {
        *looks = 0;
        run_ranks(4, (rank_mode)mode, miss_a_deadline, looks);
        run_ranks_with((rank_options){ .size = 4, .mode = (rank_mode)mode, .op_timeout_s = 0.3 },
                       miss_a_message, NULL);
    }
    shared_page_free(looks, sizeof *looks);
}
END_TEST

/* ---- abort ---- */

static void *abort_from_thread(void *arg)
{
    muster_group_abort(arg, "the user pressed stop");
    return NULL;
}

static int abort_group(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *group;
    pthread_t thread;
    float x = 0;

    (void)arg;
    for (int i = 0; i < 20; i++) {
        RANK_OK(world, muster_group_split(world, 0, -1, &group));
        if (rank == 1)
            RANK_CHECK(world, pthread_create(&thread, NULL, abort_from_thread, group) == 0);
        muster_status status = MUSTER_OK;
        while (status == MUSTER_OK)
            status = muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, group);
        RANK_CHECK(world, status == MUSTER_ERR_ABORTED);
        RANK_CHECK(world, strstr(muster_error_detail(), "rank 1 aborted the group: the user pressed stop"));
        RANK_CHECK(world, muster_group_split(group, 0, 0, &group) == MUSTER_ERR_ABORTED);
        if (rank == 1)
            pthread_join(thread, NULL);
        RANK_OK(world, muster_group_free(group));
        RANK_OK(world, muster_barrier(world)); /* that group and no other */
    }
    return 0;
}

START_TEST(test_abort_reaches_everyone)
{
    run_ranks(3, RANKS_AS_THREADS, abort_group, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, abort_group, NULL);
}
END_TEST

/* ---- two threads on one group ---- */

static void *wait_in_barrier(void *arg)
{
    muster_status status = MUSTER_ERR_BUSY;

    while (status == MUSTER_ERR_BUSY) /* the other thread is trying too */
        status = muster_barrier(arg);
    return (void *)(intptr_t)status;
}

static int two_threads(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    pthread_t thread;
    void *status;
    float x = 0;

    (void)arg;
    if (rank == 1) { /* the token comes when rank 0 has met BUSY */
        RANK_OK(world, muster_recv(&x, 1, MUSTER_FLOAT32, 0, 0, world, NULL));
        RANK_OK(world, muster_barrier(world));
        return 0;
    }
    RANK_CHECK(world, pthread_create(&thread, NULL, wait_in_barrier, world) == 0);
    while (muster_all_sum(&x, &x, 0, (muster_dtype)99, world) != MUSTER_ERR_BUSY)
        continue; /* INVALID until the thread is inside; never anything that waits */
    RANK_CHECK(world, muster_group_free(world) == MUSTER_ERR_BUSY);
    RANK_OK(world, muster_send(&x, 1, MUSTER_FLOAT32, 1, 0, world));
    pthread_join(thread, &status);
    RANK_CHECK(world, (intptr_t)status == MUSTER_OK);
    return 0;
}

START_TEST(test_a_second_thread_is_busy_and_harms_nothing)
{
    run_ranks(2, RANKS_AS_THREADS, two_threads, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, two_threads, NULL);
}
END_TEST

/* ---- a forked child ---- */

static int fork_a_child(muster_group *world, void *arg)
{
    float x = 1;

    (void)arg;
    pid_t pid = fork();
    if (pid == 0) {
        muster_group *group;
        bool refused = muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world) == MUSTER_ERR_FORKED &&
                       muster_group_split(world, 0, 0, &group) == MUSTER_ERR_FORKED &&
                       muster_group_status(world) == MUSTER_ERR_FORKED &&
                       muster_group_abort(world, "") == MUSTER_ERR_FORKED &&
                       muster_group_free(world) == MUSTER_ERR_FORKED &&
                       muster_init(false, NULL, &group) == MUSTER_ERR_FORKED;
        exit(refused ? 0 : 1); /* by exit(): handlers that run in the child must not leave for the parent */
    }
    int status;
    RANK_CHECK(world, waitpid(pid, &status, 0) == pid && status == 0);
    RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world));
    RANK_CHECK(world, x == (float)muster_group_size(world));
    return 0;
}

START_TEST(test_a_forked_child_is_refused)
{
    run_ranks(3, RANKS_AS_PROCESSES, fork_a_child, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("disagreement");
    TCase *tests = tcase_create("disagreement");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_every_disagreement);
    tcase_add_test(tests, test_messages_that_do_not_fit);
    tcase_add_test(tests, test_deadlines_name_who_is_missing);
    tcase_add_test(tests, test_deadlines_of_groups);
    tcase_add_test(tests, test_abort_reaches_everyone);
    tcase_add_test(tests, test_a_second_thread_is_busy_and_harms_nothing);
    if (on_one_host() && !under_thread_sanitizer()) /* it does not support what a forked child does next */
        tcase_add_test(tests, test_a_forked_child_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
