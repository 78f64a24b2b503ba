/*
 * The progress thread when things end: groups that are aborted, shrunk or grown, ranks that die, leave
 * without a word or fork, waits that are part of a cycle.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/base/atomic.h"
#include "src/onehost/wait/pending.h"
#include "tests/harness/ranks.h"

enum { LARGE = 100000 };

static int32_t in[LARGE], out[LARGE];

static muster_status start_sum(muster_group *group, muster_request *request)
{
    return muster_all_reduce_start(in, out, LARGE, MUSTER_INT32, MUSTER_SUM, group, request);
}

/* ---- broken groups ---- */

/* Rank 0 is in no call when another one breaks the group, in the middle of an operation. */
static int is_aborted(muster_group *world, void *arg)
{
    int32_t *mine = malloc(2 * LARGE * sizeof *mine);
    muster_request request;

    (void)arg;
    RANK_CHECK(world, mine);
    memset(mine, 0, LARGE * sizeof *mine);
    RANK_OK(world, muster_barrier(world));
    if (muster_group_rank(world) == 1) {
        muster_group_abort(world, "enough");
        free(mine);
        return 0;
    }
    muster_status status =
        muster_all_reduce_start(mine, mine + LARGE, LARGE, MUSTER_INT32, MUSTER_SUM, world, &request);
    AWAIT(muster_group_status(world) != MUSTER_OK);
    RANK_CHECK(world, status == MUSTER_ERR_ABORTED || muster_wait(&request, 0) == MUSTER_ERR_ABORTED);
    free(mine);
    return 0;
}

START_TEST(test_an_aborted_group)
{
    for (int turn = 0; turn < 10; turn++)
        run_ranks(3, turn % 2 ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, is_aborted, NULL);
}
END_TEST

static int goes_on_in(muster_group *group)
{
    int n = muster_group_size(group), rank = muster_group_rank(group);
    muster_request requests[2];

    for (int turn = 0; turn < 20; turn++) {
        int32_t sent = rank + turn, got = -1;

        RANK_OK(group,
                muster_recv_start(&got, 1, MUSTER_INT32, (rank + n - 1) % n, 0, group, NULL, &requests[0]));
        RANK_OK(group, muster_send(&sent, 1, MUSTER_INT32, (rank + 1) % n, 0, group));
        in[LARGE - 1] = turn;
        RANK_OK(group, start_sum(group, &requests[1]));
        RANK_OK(group, muster_wait_all(requests, 2, 0));
        RANK_CHECK(group, got == (rank + n - 1) % n + turn && out[LARGE - 1] == n * turn);
    }
    return 0;
}

/* A rank dies while all have operations under way; the others go on without it. */
static int shrinks(muster_group *world, void *arg)
{
    muster_group *shrunk;
    muster_request request;

    (void)arg;
    RANK_OK(world, muster_barrier(world));
    muster_status status = start_sum(world, &request);
    if (muster_group_rank(world) == 1)
        raise(SIGKILL);
    if (status == MUSTER_OK)
        status = muster_wait(&request, 0);
    if (status == MUSTER_OK)
        status = muster_barrier(world);
    RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_group_shrink(world, &shrunk));
    RANK_CHECK(world, muster_group_size(shrunk) == muster_group_size(world) - 1);
    if (goes_on_in(shrunk))
        return 1;
    return muster_group_free(shrunk) != MUSTER_OK;
}

START_TEST(test_a_group_that_shrinks)
{
    for (int turn = 0; turn < 4; turn++) {
        muster_report report = MUSTER_REPORT_INIT;
        muster_termination terminations[4];

        report.terminations = terminations;
        run_failing_ranks((rank_options){ .size = 4 }, shrinks, NULL, &report);
        for (int rank = 0; rank < 4; rank++)
            ck_assert_int_eq(terminations[rank].kind,
                             rank == 1 ? MUSTER_TERMINATION_SIGNALED : MUSTER_TERMINATION_EXITED);
        for (int rank = 0; rank < 4; rank++)
            ck_assert_int_eq(terminations[rank].code, rank == 1 ? SIGKILL : 0);
    }
}
END_TEST

/* The same, and a new process takes its place. */
static int grows(muster_group *world, void *arg)
{
    muster_group *grown = world;
    muster_request request;

    (void)arg;
    if (atoi(getenv("MUSTER_RESTARTS")) == 0) {
        RANK_OK(world, muster_barrier(world));
        muster_status status = start_sum(world, &request);
        if (muster_group_rank(world) == 1)
            raise(SIGKILL);
        if (status == MUSTER_OK)
            status = muster_wait(&request, 0);
        if (status == MUSTER_OK)
            status = muster_barrier(world);
        RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
        RANK_OK(world, muster_group_grow(world, &grown));
    }
    RANK_CHECK(world, muster_group_size(grown) == 3);
    if (goes_on_in(grown))
        return 1;
    return grown != world && muster_group_free(grown) != MUSTER_OK;
}

START_TEST(test_a_group_that_grows)
{
    for (int turn = 0; turn < 3; turn++) {
        muster_report report = MUSTER_REPORT_INIT;

        run_failing_ranks((rank_options){ .size = 3, .restarts = 2 }, grows, NULL, &report);
        ck_assert_int_eq(report.exit_status, 0);
        ck_assert_int_eq(report.restarts, 1);
    }
}
END_TEST

/* ---- processes ---- */

/* The program forgets to free anything, and has something under way. */
static int leaves_without_a_word(muster_group *world, void *arg)
{
    muster_request request;

    (void)arg;
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, start_sum(world, &request));
    exit(0);
}

START_TEST(test_ranks_that_forget)
{
    for (int turn = 0; turn < 5; turn++)
        run_ranks(3, RANKS_AS_PROCESSES, leaves_without_a_word, NULL);
}
END_TEST

/* Of rank 0 it never returns, as if it waited for what the thread has that ends the program. */
static void stay(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    _Atomic uint32_t *is_there = arg;

    (void)acc, (void)next, (void)count, (void)dtype;
    if (mst_load32_acq(is_there) < 2)
        mst_store32_rel(is_there, 1);
    AWAIT(mst_load32_acq(is_there) == 2);
}

static int exits_beside_its_function(muster_group *world, void *arg)
{
    static _Atomic uint32_t is_there;
    muster_request request;
    muster_op op;
    int32_t x = 1, sum;

    (void)arg;
    if (muster_group_rank(world) == 1)
        mst_store32_rel(&is_there, 2);
    RANK_OK(world, muster_op_create("stay", stay, &is_there, true, &op));
    RANK_OK(world, muster_all_reduce_start(&x, &sum, 1, MUSTER_INT32, op, world, &request));
    if (muster_group_rank(world) == 1)
        return 0;
    AWAIT(mst_load32_acq(&is_there) == 1); /* in the progress thread */
    exit(0);
}

START_TEST(test_a_function_that_never_returns)
{
    run_ranks(2, RANKS_AS_PROCESSES, exits_beside_its_function, NULL);
}
END_TEST

/* In a child: no rank, unless it makes itself one. */
static int be_a_child(muster_group *parents)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *own;
    float x = 1;

    if (muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, parents) != MUSTER_ERR_FORKED ||
        muster_group_free(parents) != MUSTER_ERR_FORKED)
        return 1;
    config.progress_thread = true;
    return muster_attach(&config, &own) != MUSTER_OK ||
           muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, own) != MUSTER_OK || muster_group_free(own) != MUSTER_OK;
}

/* Forks while operations are under way, at whatever moment of the thread. */
static int forks(muster_group *world, void *arg)
{
    muster_request request;

    (void)arg;
    for (int turn = 0; turn < 20; turn++) {
        int status;

        RANK_OK(world, start_sum(world, &request));
        pid_t pid = fork();
        if (pid == 0) {
            alarm(60);
            int failed = be_a_child(world);

            if (under_address_sanitizer()) /* it may wait for a lock that a thread of the parent had */
                _exit(failed);
            exit(failed);
        }
        RANK_CHECK(world, waitpid(pid, &status, 0) == pid && status == 0);
        RANK_OK(world, muster_wait(&request, 0));
    }
    return 0;
}

START_TEST(test_forks)
{
    run_ranks(2, RANKS_AS_PROCESSES, forks, NULL);
}
END_TEST

/* ---- deadlocks ---- */

/* The thread is no reason to look for none, and moves what does not end the cycle. */
static int all_receive(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world), next = (rank + 1) % size;
    int32_t x = 0, got;
    muster_request requests[2];

    (void)arg;
    RANK_OK(world, start_sum(world, &requests[0]));
    RANK_OK(world, muster_recv_start(&got, 1, MUSTER_INT32, next, 1, world, NULL, &requests[1]));
    RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, (rank + size - 1) % size, 1, world));
    RANK_CHECK(world, muster_recv(&x, 1, MUSTER_INT32, next, 0, world, NULL) == MUSTER_ERR_DEADLOCK);
    RANK_CHECK(world, strstr(muster_error_detail(), "deadlock among ranks of the world: "));
    for (int i = 0; i < 2; i++) {
        muster_status status = muster_wait(&requests[i], 0);

        RANK_CHECK(world, status == MUSTER_ERR_DEADLOCK);
    }
    return 0;
}

/* Small messages behind large ones that fill the channel, and each rank waits for the small one: it comes
 * when the thread announces it. That looks like a cycle, and is none. */
static int only_looks_like_one(muster_group *world, void *arg)
{
    enum { MANY = 16, EACH = LARGE / MANY };
    int rank = muster_group_rank(world);
    muster_request requests[2 * MANY + 1];

    (void)arg;
    for (int turn = 0; turn < 20; turn++) {
        int32_t x = rank + turn, got = -1;

        for (int i = 0; i < MANY; i++)
            RANK_OK(world,
                    muster_send_start(&in[i * EACH], EACH, MUSTER_INT32, 1 - rank, 1, world, &requests[i]));
        RANK_OK(world, muster_send_start(&x, 1, MUSTER_INT32, 1 - rank, 0, world, &requests[2 * MANY]));
        RANK_OK(world, muster_recv(&got, 1, MUSTER_INT32, 1 - rank, 0, world, NULL));
        RANK_CHECK(world, got == 1 - rank + turn);
        for (int i = 0; i < MANY; i++)
            RANK_OK(world, muster_recv_start(&out[i * EACH], EACH, MUSTER_INT32, 1 - rank, 1, world, NULL,
                                             &requests[MANY + i]));
        RANK_OK(world, muster_wait_all(requests, 2 * MANY + 1, 0));
    }
    return 0;
}

START_TEST(test_deadlocks)
{
    for (int size = 2; size <= 4; size++)
        run_ranks(size, RANKS_AS_PROCESSES, all_receive, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, only_looks_like_one, NULL);
}
END_TEST

typedef struct other_thread {
    mst_group *group;
    _Atomic uint32_t state; /* 1: it has the lock, 2: it lets go */
} other_thread;

static void *hold_the_lock(void *arg)
{
    other_thread *other = arg;

    mst_pending_lock(other->group);
    mst_store32_rel(&other->state, 1);
    pass_time_ms(300);
    mst_store32_rel(&other->state, 2);
    mst_pending_unlock(other->group);
    return NULL;
}

/* As long as another thread may be about to move something, there is no proof of a cycle. */
static int no_proof_behind_a_lock(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    other_thread other = { 0 };
    muster_request request;
    muster_group *group;
    pthread_t thread;
    int32_t x;

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &group));
    if (rank == 0) { /* so that there is something to look at */
        RANK_OK(world, muster_barrier_start(group, &request));
        other.group = mst_group_of(group);
        RANK_CHECK(world, pthread_create(&thread, NULL, hold_the_lock, &other) == 0);
        AWAIT(mst_load32_acq(&other.state) == 1);
    }
    RANK_CHECK(world, muster_recv(&x, 1, MUSTER_INT32, 1 - rank, 0, world, NULL) == MUSTER_ERR_DEADLOCK);
    if (rank == 0) {
        RANK_CHECK(world, mst_load32_acq(&other.state) == 2);
        pthread_join(thread, NULL);
    } else {
        RANK_OK(world, muster_barrier_start(group, &request));
    }
    RANK_OK(world, muster_wait(&request, 0));
    return muster_group_free(group) != MUSTER_OK;
}

START_TEST(test_no_proof_behind_a_lock)
{
    unsetenv("MUSTER_PROGRESS_THREAD");
    setenv("MUSTER_ONE_THREAD", "1", 1);
    run_ranks(2, RANKS_AS_PROCESSES, no_proof_behind_a_lock, NULL);
    unsetenv("MUSTER_ONE_THREAD");
}
END_TEST

static void switch_on(void)
{
    setenv("MUSTER_PROGRESS_THREAD", "1", 1);
}

int main(void)
{
    Suite *suite = suite_create("progress_ends");
    TCase *tests = tcase_create("progress_ends");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_checked_fixture(tests, switch_on, NULL);
    tcase_add_test(tests, test_an_aborted_group);
    if (!under_thread_sanitizer()) { /* which sees nothing between processes */
        tcase_add_test(tests, test_a_group_that_shrinks);
        tcase_add_test(tests, test_a_group_that_grows);
        tcase_add_test(tests, test_ranks_that_forget);
        tcase_add_test(tests, test_a_function_that_never_returns);
        tcase_add_test(tests, test_forks);
        tcase_add_test(tests, test_deadlocks);
        tcase_add_test(tests, test_no_proof_behind_a_lock);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
