/*
 * Ranks that wait for each other in a cycle are told so, all of them, and what the cycle is; ranks that
 * only look as if they did are not.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

#define LARGE 400000 /* floats: more than a channel buffers */

static float large[LARGE];

static int expect_deadlock(muster_group *group, muster_status status, const char *part)
{
    RANK_CHECK(group, status == MUSTER_ERR_DEADLOCK);
    RANK_CHECK(group, strstr(muster_error_detail(), "deadlock among ranks of the world: "));
    RANK_CHECK(group, strstr(muster_error_detail(), part));
    RANK_CHECK(group, muster_group_status(group) == MUSTER_ERR_DEADLOCK); /* for good */
    return 0;
}

/* ---- wait cycles ---- */

static int all_receive(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    char part[80];
    float x;

    (void)arg;
    /* The first to find it, or to tell, decides where the text begins; every part of it is there. */
    snprintf(part, sizeof part, "%d in recv (float32 x 1, tag 0) waits for %d", rank, (rank + 1) % size);
    return expect_deadlock(world, muster_recv(&x, 1, MUSTER_FLOAT32, (rank + 1) % size, 0, world, NULL),
                           size < 5 ? part : "in recv (float32 x 1, tag 0) waits for");
}

static int all_send(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);

    (void)arg;
    return expect_deadlock(world, muster_send(large, LARGE, MUSTER_FLOAT32, (rank + 1) % size, 0, world),
                           "in send (float32 x 400000, tag 0)");
}

START_TEST(test_cycles_of_messages)
{
    for (int size = 2; size <= 8; size += 1 + (size > 3)) {
        run_ranks(size, RANKS_AS_PROCESSES, all_receive, NULL);
        run_ranks(size, RANKS_AS_PROCESSES, all_send, NULL);
    }
}
END_TEST

static int receive_from_oneself(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    float x;

    (void)arg;
    if (rank == 0)
        return expect_deadlock(world, muster_recv(&x, 1, MUSTER_FLOAT32, 0, 0, world, NULL),
                               "0 in recv (float32 x 1, tag 0) waits for 0");
    RANK_CHECK(world, muster_recv(&x, 1, MUSTER_FLOAT32, 0, 0, world, NULL) ==
                          MUSTER_ERR_DEADLOCK); /* its group's */
    return 0;
}

static int receive_from_nobody(muster_group *world, void *arg)
{
    float x;

    (void)arg;
    return expect_deadlock(world, muster_recv(&x, 1, MUSTER_FLOAT32, MUSTER_ANY_SOURCE, 0, world, NULL),
                           "waits for any rank");
}

START_TEST(test_a_cycle_of_one)
{
    run_ranks(1, RANKS_AS_PROCESSES, receive_from_nobody, NULL);
    run_ranks(1, RANKS_AS_PROCESSES, receive_from_oneself, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, receive_from_oneself, NULL);
}
END_TEST

/* A receive of any source waits for all others: it is stuck only if each of them is. */
static int all_receive_of_any(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    muster_message came = MUSTER_MESSAGE_INIT;
    float x;

    (void)arg;
    if (rank == 0)
        return expect_deadlock(world, muster_recv(&x, 1, MUSTER_FLOAT32, MUSTER_ANY_SOURCE, 7, world, &came),
                               "0 in recv (float32 x 1, tag 7) waits for any rank");
    if (rank == 1)
        return expect_deadlock(world, muster_probe(MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, NULL),
                               "1 in probe (any tag) waits for any rank");
    return expect_deadlock(world, muster_recv(&x, 1, MUSTER_FLOAT32, (rank + 1) % size, 3, world, NULL),
                           "deadlock");
}

/* One of those that could send only takes its time; then a message ends all waits, one after the other. */
static int one_of_any_computes(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    float x = 1;

    (void)arg;
    if (rank == size - 1) {
        await_checks(world, 0, (uint32_t)size - 1);
        RANK_OK(world, muster_send(&x, 1, MUSTER_FLOAT32, 0, 0, world));
        return 0;
    }
    RANK_OK(world, muster_recv(&x, 1, MUSTER_FLOAT32, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, NULL));
    if (rank < size - 2)
        RANK_OK(world, muster_send(&x, 1, MUSTER_FLOAT32, rank + 1, 0, world));
    return 0;
}

/* Who leaves cannot send any more, whether it left before the others waited or after. */
static int one_of_any_leaves(muster_group *world, void *arg)
{
    int size = muster_group_size(world), x;
    const bool *later = arg;
    muster_group *copy;

    RANK_OK(world, muster_group_dup(world, &copy));
    if (muster_group_rank(world) == size - 1) {
        for (int other = 0; *later && other < size - 1; other++)
            AWAIT(has_waited_long(world, (uint32_t)other));
    } else {
        RANK_CHECK(world,
                   muster_recv(&x, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, 0, copy, NULL) == MUSTER_ERR_DEADLOCK);
    }
    RANK_OK(world, muster_group_free(copy));
    RANK_OK(world, muster_barrier(world));
    return 0;
}

/* Tags: each waits for a message that the other would send later. */
static int crossed_tags(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    float x = 1;

    (void)arg;
    RANK_OK(world, muster_send(&x, 1, MUSTER_FLOAT32, 1 - rank, 1, world));
    return expect_deadlock(world, muster_recv(&x, 1, MUSTER_FLOAT32, 1 - rank, 2, world, NULL),
                           "in recv (float32 x 1, tag 2) waits for");
}

START_TEST(test_any_source_and_tags)
{
    for (int size = 2; size <= 5; size++) {
        run_ranks(size, RANKS_AS_PROCESSES, all_receive_of_any, NULL);
        run_ranks(size, RANKS_AS_PROCESSES, one_of_any_computes, NULL);
    }
    for (int i = 0; i < 2; i++) {
        bool later = i;
        run_ranks(3, RANKS_AS_PROCESSES, one_of_any_leaves, &later);
    }
    run_ranks(2, RANKS_AS_PROCESSES, crossed_tags, NULL);
}
END_TEST

static int different_groups(muster_group *world, void *arg)
{
    muster_group *a, *b, *mine;
    int rank = muster_group_rank(world);
    float x = 1;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &a));
    RANK_OK(world, muster_group_split(world, 0, -1, &b));
    RANK_OK(b, muster_group_set_name(b, "tp:0"));
    RANK_OK(a, muster_group_set_timeout(a, 3600 * 1000000000LL)); /* it would break `a`, and say less */
    RANK_OK(b, muster_group_set_timeout(b, 3600 * 1000000000LL));
    mine = rank == 0 ? a : b;
    muster_status status = rank == 0 ? muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, a) : muster_barrier(b);
    RANK_CHECK(world, strstr(muster_error_detail(), "all_sum (float32 x 1), operation 1 waits for 1"));
    if (expect_deadlock(mine, status, "barrier, operation 1 of \"tp:0\" waits for 0"))
        return 1;
    RANK_OK(world, muster_barrier(world)); /* no part of it */
    return 0;
}

static int message_against_collective(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    float x = 1;

    (void)arg;
    if (rank == 0)
        return expect_deadlock(world, muster_recv(&x, 1, MUSTER_FLOAT32, 1, 0, world, NULL), "0 in recv");
    return expect_deadlock(world, muster_barrier(world), "in barrier");
}

static int split_against_finish(muster_group *world, void *arg)
{
    muster_request request = MUSTER_REQUEST_INIT;
    muster_group *child;
    float x = 1, y;

    (void)arg;
    if (muster_group_rank(world) == 0) {
        RANK_OK(world, muster_all_reduce_start(&x, &y, 1, MUSTER_FLOAT32, MUSTER_SUM, world, &request));
        return expect_deadlock(world, muster_wait(&request, 0), "0 in all_sum");
    }
    return expect_deadlock(world, muster_group_split(world, 0, -1, &child), "1 in split #1");
}

START_TEST(test_cycles_across_groups_and_operations)
{
    run_ranks(2, RANKS_AS_PROCESSES, different_groups, NULL);
    for (int size = 2; size <= 4; size++)
        run_ranks(size, RANKS_AS_PROCESSES, message_against_collective, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, split_against_finish, NULL);
}
END_TEST

/* 0 -> 1 -> 0 in one group; 2 waits for them in another, and learns that they left. */
static int beside_the_cycle(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *pair;
    float x;

    (void)arg;
    RANK_OK(world, muster_group_split(world, rank < 2 ? 0 : MUSTER_COLOR_NONE, -1, &pair));
    if (rank < 2)
        return expect_deadlock(pair, muster_recv(&x, 1, MUSTER_FLOAT32, 1 - rank, 0, pair, NULL), "in recv");
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strstr(muster_error_detail(), "left the group"));
    return 0;
}

START_TEST(test_who_is_not_in_the_cycle_gets_no_deadlock)
{
    run_ranks(3, RANKS_AS_PROCESSES, beside_the_cycle, NULL);
}
END_TEST

/* ---- no wait cycles ---- */

/* A chain whose end computes: 0 waits for 1, which waits for 2, and so on. */
static int a_chain_behind_a_slow_rank(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    float x = 0;

    (void)arg;
    if (rank == size - 1)
        pass_time_ms(700);
    else
        RANK_OK(world, muster_recv(&x, 1, MUSTER_FLOAT32, rank + 1, 0, world, NULL));
    if (rank > 0)
        RANK_OK(world, muster_send(&x, 1, MUSTER_FLOAT32, rank - 1, 0, world));
    RANK_OK(world, muster_barrier(world));
    return 0;
}

static void *send_late(void *world)
{
    float x = 1;

    pass_time_ms(700);
    return (void *)(uintptr_t)(muster_send(&x, 1, MUSTER_FLOAT32, 0, 0, world) == MUSTER_OK);
}

/* Rank 1's first thread waits for rank 0, and rank 0 for rank 1, whose second thread will help. */
static int a_second_thread_helps(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    pthread_t helper;
    void *sent;
    float x;

    (void)arg;
    if (rank == 1)
        RANK_CHECK(world, pthread_create(&helper, NULL, send_late, world) == 0);
    RANK_OK(world, muster_recv(&x, 1, MUSTER_FLOAT32, 1 - rank, 0, world, NULL));
    if (rank == 0)
        RANK_OK(world, muster_send(&x, 1, MUSTER_FLOAT32, 1, 0, world));
    if (rank == 1) {
        pthread_join(helper, &sent);
        RANK_CHECK(world, sent != NULL);
    }
    return 0;
}

/* 0 waits for 1, which has what 0 needs only after it was stopped for a while in a wait for 2. */
static int a_stopped_rank(muster_group *world, void *arg)
{
    pid_t *pids = arg;
    int rank = muster_group_rank(world);
    float x = 0;

    pids[rank] = getpid();
    RANK_OK(world, muster_barrier(world));
    switch (rank) {
    case 0:
        RANK_OK(world, muster_recv(&x, 1, MUSTER_FLOAT32, 1, 0, world, NULL));
        RANK_OK(world, muster_send(&x, 1, MUSTER_FLOAT32, 2, 0, world));
        break;
    case 1:
        RANK_OK(world, muster_recv(&x, 1, MUSTER_FLOAT32, 2, 0, world, NULL));
        RANK_OK(world, muster_send(&x, 1, MUSTER_FLOAT32, 0, 0, world));
        break;
    default:
        AWAIT(has_waited_long(world, 1));
        kill(pids[1], SIGSTOP);
        RANK_OK(world, muster_send(&x, 1, MUSTER_FLOAT32, 1, 0, world));
        pass_time_ms(400); /* what 1 waits for is there; it has not looked */
        pid_t helper = fork();
        if (helper == 0) {
            pass_time_ms(300);
            kill(pids[1], SIGCONT);
            _exit(0);
        }
        RANK_OK(world,
                muster_recv(&x, 1, MUSTER_FLOAT32, 0, 0, world, NULL)); /* looks like 2 -> 0 -> 1 -> 2 */
        waitpid(helper, NULL, 0);
    }
    return 0;
}

/* ---- programs of many threads ---- */

static void *sleep_long(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static int all_receive_beside_another_thread(muster_group *world, void *arg)
{
    pthread_t other;

    RANK_CHECK(world, pthread_create(&other, NULL, sleep_long, NULL) == 0);
    return all_receive(world, arg);
}

typedef struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
} waiting;

static void *wait_for_done(void *arg)
{
    waiting *wait = arg;

    pthread_mutex_lock(&wait->lock);
    while (!wait->done)
        pthread_cond_wait(&wait->changed, &wait->lock);
    pthread_mutex_unlock(&wait->lock);
    return NULL;
}

/* As in MLX, where the program's thread waits for the one that operates. */
static int all_receive_while_others_wait(muster_group *world, void *arg)
{
    waiting wait = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
    pthread_t others[3];

    signal(SIGALRM, SIG_DFL); /* that Check handles */
    signal(SIGTERM, SIG_DFL);
    for (int i = 0; i < 3; i++)
        RANK_CHECK(world, pthread_create(&others[i], NULL, wait_for_done, &wait) == 0);
    int failed = all_receive(world, arg);
    pthread_mutex_lock(&wait.lock);
    wait.done = true;
    pthread_cond_broadcast(&wait.changed);
    pthread_mutex_unlock(&wait.lock);
    for (int i = 0; i < 3; i++)
        pthread_join(others[i], NULL);
    return failed;
}

START_TEST(test_other_threads_that_wait_for_this_one)
{
    for (int size = 2; size <= 3; size++)
        run_ranks(size, RANKS_AS_PROCESSES, all_receive_while_others_wait, NULL);
}
END_TEST

/* Of two others one waits with a limit, and then sends what ends the wait. */
static void *send_after_a_limit(void *world)
{
    waiting wait = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
    struct timespec limit;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec++;
    pthread_mutex_lock(&wait.lock);
    while (pthread_cond_timedwait(&wait.changed, &wait.lock, &limit) == 0)
        ;
    pthread_mutex_unlock(&wait.lock);
    return send_late(world);
}

static sem_t told;

static void tell(int number)
{
    (void)number;
    sem_post(&told);
}

/* Or without a limit, until the handler of a signal wakes it. */
static void *send_after_a_signal(void *world)
{
    sem_init(&told, 0, 0);
    signal(SIGALRM, tell);
    alarm(1);
    while (sem_wait(&told) != 0)
        ;
    return send_late(world);
}

/* `arg`: how the thread begins that sends. */
static int another_waits(muster_group *world, void *arg)
{
    void *(*const *send)(void *) = arg;
    waiting wait = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
    int rank = muster_group_rank(world);
    pthread_t sender, waiter;
    float x;

    RANK_CHECK(world, pthread_create(&waiter, NULL, wait_for_done, &wait) == 0);
    if (rank == 1)
        RANK_CHECK(world, pthread_create(&sender, NULL, *send, world) == 0);
    RANK_OK(world, muster_recv(&x, 1, MUSTER_FLOAT32, 1 - rank, 0, world, NULL));
    if (rank == 0)
        RANK_OK(world, muster_send(&x, 1, MUSTER_FLOAT32, 1, 0, world));
    if (rank == 1)
        pthread_join(sender, NULL);
    pthread_mutex_lock(&wait.lock);
    wait.done = true;
    pthread_cond_broadcast(&wait.changed);
    pthread_mutex_unlock(&wait.lock);
    pthread_join(waiter, NULL);
    return 0;
}

START_TEST(test_what_only_looks_like_a_cycle)
{
    static void *(*senders[])(void *) = { send_after_a_limit, send_after_a_signal };
    pid_t *pids = shared_page(sizeof(pid_t) * 3);

    run_ranks(4, RANKS_AS_PROCESSES, a_chain_behind_a_slow_rank, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, a_second_thread_helps, NULL);
    for (int i = 0; i < 2; i++)
        run_ranks(2, RANKS_AS_PROCESSES, another_waits, &senders[i]);
    if (!under_thread_sanitizer()) /* where a rank is never alone, and so tells nobody that it waits */
        run_ranks(3, RANKS_AS_PROCESSES, a_stopped_rank, pids);
    shared_page_free(pids, sizeof(pid_t) * 3);
}
END_TEST

START_TEST(test_a_promise_that_other_threads_stay_out)
{
    setenv("MUSTER_ONE_THREAD", "1", 1);
    run_ranks(2, RANKS_AS_PROCESSES, all_receive_beside_another_thread, NULL);
    unsetenv("MUSTER_ONE_THREAD");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deadlock");
    TCase *tests = tcase_create("deadlock");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) { /* it has a thread of its own, so nobody is alone */
        tcase_add_test(tests, test_cycles_of_messages);
        tcase_add_test(tests, test_a_cycle_of_one);
        tcase_add_test(tests, test_any_source_and_tags);
        tcase_add_test(tests, test_cycles_across_groups_and_operations);
        tcase_add_test(tests, test_who_is_not_in_the_cycle_gets_no_deadlock);
        tcase_add_test(tests, test_other_threads_that_wait_for_this_one);
    }
    tcase_add_test(tests, test_what_only_looks_like_a_cycle);
    tcase_add_test(tests, test_a_promise_that_other_threads_stay_out);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
