/*
 * Processes forked by one that has a world: ranks of another world when their environment says so, a group of
 * one when it says nothing, and never in silence what their parent is.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

static pid_t fork_rank(const char *name, int rank, int size, muster_group *parents)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    char number[2][12];
    snprintf(number[0], sizeof number[0], "%d", rank);
    snprintf(number[1], sizeof number[1], "%d", size);
    setenv("MUSTER_ARENA", name, 1);
    setenv("MUSTER_RANK", number[0], 1);
    setenv("MUSTER_SIZE", number[1], 1);
    muster_group *world, *again;
    float x = 1;
    bool good = muster_init(true, NULL, &world) == MUSTER_OK && muster_group_size(world) == size &&
                muster_group_rank(world) == rank &&
                muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world) == MUSTER_OK && x == (float)size &&
                muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, parents) == MUSTER_ERR_FORKED &&
                muster_init(false, NULL, &again) == MUSTER_OK && again == world;
    exit(good ? 0 : 1);
}

static int status_of(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void expect_ranks_in_forks(muster_group *parents, const char *what)
{
    char name[64];
    pid_t pids[3];

    name_of_test(name, sizeof name, what);
    for (int rank = 0; rank < 3; rank++)
        pids[rank] = fork_rank(name, rank, 3, parents);
    for (int rank = 0; rank < 3; rank++)
        ck_assert_msg(status_of(pids[rank]) == 0, "%s: rank %d", what, rank);
}

/* What a fork of this process gets, whose environment is as its parent's. */
static int status_of_init_in_fork(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        muster_group *world;
        muster_status status = muster_init(false, NULL, &world);
        float x = 2;

        if (status == MUSTER_OK)
            status = muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world);
        _exit(status);
    }
    int status = status_of(pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(test_forks_are_ranks_of_their_own_or_none)
{
    muster_group *world;
    char name[64];

    ck_assert_int_eq(muster_init(false, NULL, &world), MUSTER_OK);
    ck_assert_int_eq(status_of_init_in_fork(), MUSTER_OK); /* as a program that was not launched */
    expect_ranks_in_forks(world, "forks-of-one");
    ck_assert_int_eq(muster_barrier(world), MUSTER_OK);
    ck_assert_int_eq(muster_group_free(world), MUSTER_OK);

    name_of_test(name, sizeof name, "forking-rank");
    setenv("MUSTER_ARENA", name, 1);
    setenv("MUSTER_RANK", "0", 1);
    setenv("MUSTER_SIZE", "1", 1);
    ck_assert_int_eq(muster_init(true, NULL, &world), MUSTER_OK);
    ck_assert_int_eq(status_of_init_in_fork(), MUSTER_ERR_FORKED);
    expect_ranks_in_forks(world, "forks-of-a-rank");
    ck_assert_int_eq(muster_barrier(world), MUSTER_OK);
    ck_assert_int_eq(muster_group_free(world), MUSTER_OK);
    ck_assert_int_eq(status_of_init_in_fork(), MUSTER_ERR_FORKED); /* its seat is taken, and left */
}
END_TEST

/* ---- a fork beside a thread that attaches ---- */

static void *attach_in_vain(void *arg)
{
    muster_group *world;

    *(_Atomic int *)arg = 1;
    return (void *)(uintptr_t)muster_init(true, NULL, &world); /* rank 1 never comes */
}

START_TEST(test_a_fork_beside_a_thread_that_attaches)
{
    _Atomic int begun = 0;
    pthread_t thread;
    char name[64];
    void *status;

    name_of_test(name, sizeof name, "fork-in-init");
    setenv("MUSTER_ARENA", name, 1);
    setenv("MUSTER_RANK", "0", 1);
    setenv("MUSTER_SIZE", "2", 1);
    setenv("MUSTER_ATTACH_TIMEOUT", "1", 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, attach_in_vain, &begun), 0);
    AWAIT(begun);
    pass_time_ms(200); /* most likely it waits by now, with what it has locked */
    pid_t pid = fork();
    if (pid == 0) {
        muster_group *world;

        unsetenv("MUSTER_ARENA");
        unsetenv("MUSTER_RANK");
        unsetenv("MUSTER_SIZE");
        alarm(20);
        _exit(muster_init(false, NULL, &world) == MUSTER_OK ? 0 : 1);
    }
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(pthread_join(thread, &status), 0);
    ck_assert_int_eq((int)(uintptr_t)status, MUSTER_ERR_TIMED_OUT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("forks");
    TCase *tests = tcase_create("forks");

    tcase_set_timeout(tests, 60);
    if (!under_thread_sanitizer()) { /* it does not support what a forked child does next */
        tcase_add_test(tests, test_forks_are_ranks_of_their_own_or_none);
        tcase_add_test(tests, test_a_fork_beside_a_thread_that_attaches);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
