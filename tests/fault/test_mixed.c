/*
 * One rank starts a collective that another calls in the blocking form: MISMATCH on all, with both in the
 * sentence, whatever the rank that started it does then, and however many threads there are.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

/* What the rank that has started the operation does then. */
typedef enum then { WAIT, WAIT_ALL, TEST, RECEIVE, PROBE, NOTHING } then;

typedef struct plan {
    then then;
    int starter;
    int before;        /* operations that all ranks start first, */
    bool waited;       /* and wait for */
    bool late;         /* the starter comes when the others wait already; else they come late */
    bool varied;       /* all_gatherv in place of all_sum */
    bool with_threads; /* each process has another thread, so that no deadlock is looked for */
} plan;

static _Thread_local int32_t x[4], sum[4], all[32];

static muster_status start(muster_group *group, bool varied, muster_request *request)
{
    size_t counts[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

    if (varied)
        return muster_all_gatherv_start(x, 1, all, counts, NULL, MUSTER_INT32, group, request);
    return muster_all_sum_start(x, sum, 4, MUSTER_INT32, group, request);
}

static muster_status call(muster_group *group, bool varied)
{
    size_t counts[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

    if (varied)
        return muster_all_gatherv(x, 1, all, counts, NULL, MUSTER_INT32, group);
    return muster_all_sum(x, sum, 4, MUSTER_INT32, group);
}

static int start_others(muster_group *world, const plan *plan, muster_request *requests)
{
    static _Thread_local int32_t out[8][4];

    for (int i = 0; i < plan->before; i++)
        RANK_OK(world, muster_all_reduce_start(x, out[i], 4, MUSTER_INT32, MUSTER_MAX, world, &requests[i]));
    if (plan->waited)
        RANK_OK(world, muster_wait_all(requests, (size_t)plan->before, 0));
    return 0;
}

static muster_status go_on(muster_group *world, then then, int other, muster_request *request)
{
    muster_status status = MUSTER_OK;
    bool done = false;

    switch (then) {
    case WAIT:
        return muster_wait(request, 0);
    case WAIT_ALL:
        return muster_wait_all(request, 1, 0);
    case TEST:
        while (status == MUSTER_OK && !done)
            status = muster_test(request, &done);
        return status;
    case RECEIVE:
        return muster_recv(sum, 1, MUSTER_INT32, other, 0, world, NULL);
    case PROBE:
        return muster_probe(other, 0, world, NULL);
    default:
        while (status == MUSTER_OK)
            status = muster_group_status(world);
        return status;
    }
}

static int expect(muster_group *world, muster_status status, const plan *plan)
{
    muster_error_info info = MUSTER_ERROR_INFO_INIT;

    RANK_CHECK(world, status == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(),
                             plan->varied ? "called all_gatherv (int32 x " : "called all_sum (int32 x 4)"));
    RANK_CHECK(world, strstr(muster_error_detail(),
                             plan->varied ? "started all_gatherv (int32 x " : "started all_sum (int32 x 4)"));
    RANK_OK(world, muster_last_error(&info));
    if (muster_group_rank(world) == plan->starter) /* each is told of the other */
        RANK_CHECK(world, info.rank >= 0 && info.rank != plan->starter);
    else
        RANK_CHECK(world, info.rank == plan->starter);
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_MISMATCH); /* for good */
    return 0;
}

/* What the rank does from here on; *request: of the started operation, if that is not completed. */
static int meet(muster_group *world, const plan *plan, muster_request *request)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);

    if ((rank == plan->starter) == plan->late)
        pass_time_ms(30);
    if (rank != plan->starter)
        return expect(world, call(world, plan->varied), plan);
    RANK_OK(world, start(world, plan->varied, request));
    return expect(world, go_on(world, plan->then, (rank + 1) % size, request), plan);
}

static int mix(muster_group *world, const plan *plan)
{
    muster_request requests[8], request = MUSTER_REQUEST_INIT;
    size_t before = plan->waited ? 0 : (size_t)plan->before;

    RANK_OK(world, muster_barrier(world));
    if (start_others(world, plan, requests) || meet(world, plan, &request))
        return 1;
    muster_status ended = before ? muster_wait_all(requests, before, 0) : MUSTER_OK;
    RANK_CHECK(world, ended == MUSTER_OK || ended == MUSTER_ERR_MISMATCH); /* they may have been done */
    RANK_CHECK(world, !request.group || muster_wait(&request, 0) == MUSTER_ERR_MISMATCH);
    return 0;
}

static void *be_there(void *arg)
{
    pthread_barrier_wait(arg);
    pause();
    return NULL;
}

static int mix_in_process(muster_group *world, void *arg)
{
    static pthread_barrier_t began;
    const plan *plan = arg;
    pthread_t thread;

    if (plan->with_threads) {
        pthread_barrier_init(&began, NULL, 2);
        if (pthread_create(&thread, NULL, be_there, &began))
            return 1;
        pthread_barrier_wait(&began);
    }
    return mix(world, plan);
}

START_TEST(test_whatever_the_starter_does)
{
    for (then then = WAIT; then <= NOTHING; then++)
        for (int threads = 0; threads < 2; threads++) {
            plan plan = { .then = then, .starter = threads, .with_threads = threads };

            run_ranks(2, RANKS_AS_PROCESSES, mix_in_process, &plan);
        }
}
END_TEST

START_TEST(test_whatever_was_before)
{
    for (int i = 0; i < 8; i++) {
        plan plan = { .starter = i % 3,
                      .before = i < 2 ? 0 : i - 1,
                      .waited = i % 2,
                      .late = i / 2 % 2,
                      .varied = i / 4,
                      .with_threads = i % 3 == 1 };

        run_ranks(3, plan.with_threads ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, mix_in_process, &plan);
    }
}
END_TEST

/* Rank 0 has started one operation more than the others when a barrier of all succeeds: the next call that
 * rank 0 does not come to tells it. */
static int start_more(muster_group *world, void *arg)
{
    muster_request request;

    if (muster_group_rank(world) == 0)
        RANK_OK(world, muster_all_sum_start(x, sum, 4, MUSTER_INT32, world, &request));
    RANK_OK(world, muster_barrier(world));
    return expect(world, muster_group_rank(world) ? call(world, false) : muster_wait(&request, 0), arg);
}

START_TEST(test_operations_ago)
{
    plan plan = { .starter = 0 };

    for (int size = 2; size <= 3; size++)
        run_ranks(size, RANKS_AS_PROCESSES, start_more, &plan);
}
END_TEST

/* Rank 1, which calls it, is stopped before it can see that rank 0 has started it: rank 0 tells it, and no
 * cycle is told. */
static int while_the_caller_is_stopped(muster_group *world, void *arg)
{
    volatile pid_t *caller = arg;
    plan plan = { .starter = 0 };
    muster_request request;

    if (muster_group_rank(world) == 1) {
        *caller = getpid();
        return expect(world, call(world, false), &plan);
    }
    AWAIT(has_waited_long(world, 1));
    RANK_CHECK(world, kill(*caller, SIGSTOP) == 0);
    RANK_OK(world, start(world, false, &request));
    muster_status status = muster_wait(&request, 0);
    kill(*caller, SIGCONT);
    return expect(world, status, &plan);
}

START_TEST(test_the_starter_tells_it)
{
    void *page = shared_page(sizeof(pid_t));

    run_ranks(2, RANKS_AS_PROCESSES, while_the_caller_is_stopped, page);
    shared_page_free(page, sizeof(pid_t));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mixed");
    TCase *tests = tcase_create("mixed");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_whatever_the_starter_does);
    tcase_add_test(tests, test_whatever_was_before);
    tcase_add_test(tests, test_operations_ago);
    if (!under_thread_sanitizer()) /* it has a thread of its own, so no rank makes known that it waits long */
        tcase_add_test(tests, test_the_starter_tells_it);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
