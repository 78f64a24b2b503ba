/*
 * Limits that a system or a container may set: each gives a working world or an error in words, with what
 * to change, and leaves nothing behind. And ranks that see each other's pids as other numbers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/os.h"
#include "tests/harness/ranks.h"

static int use_a_little(muster_group *world, void *arg)
{
    float x = 1;

    (void)arg;
    RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world));
    RANK_CHECK(world, x == (float)muster_group_size(world));
    return 0;
}

/* Launches two ranks under a limit; what became of it, and the sentence in *detail. */
static muster_status launch_limited(int resource, rlim_t limit, const char **detail)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    struct rlimit before, lower;

    config.size = 2;
    config.on_failure =
        MUSTER_ON_FAILURE_CONTINUE; /* ranks have Check's handler of TERM, which kills the test */
    ck_assert_int_eq(getrlimit((__rlimit_resource_t)resource, &before), 0);
    lower = (struct rlimit){ limit, before.rlim_max };
    ck_assert_int_eq(setrlimit((__rlimit_resource_t)resource, &lower), 0);
    muster_status status = muster_launch(&config, use_a_little, NULL, NULL);
    *detail = muster_error_detail();
    setrlimit((__rlimit_resource_t)resource, &before);
    return status;
}

START_TEST(test_address_space)
{
    const char *detail;

    if (under_address_sanitizer() || under_thread_sanitizer()) /* they need terabytes of it */
        return;
    muster_status status = launch_limited(RLIMIT_AS, (rlim_t)2 << 30, &detail);
    ck_assert_msg(status == MUSTER_OK, "2 GiB: %s", detail); /* makes do with less */
    status = launch_limited(RLIMIT_AS, (rlim_t)90 << 20, &detail);
    ck_assert_msg(status == MUSTER_ERR_NO_SPACE && strstr(detail, "ulimit -v"), "90 MiB: %s", detail);
}
END_TEST

START_TEST(test_file_size)
{
    const char *detail;

    muster_status status = launch_limited(RLIMIT_FSIZE, (rlim_t)1 << 30, &detail);
    ck_assert_msg(status == MUSTER_OK, "1 GiB: %s", detail);
    status = launch_limited(RLIMIT_FSIZE, (rlim_t)8 << 20, &detail); /* in words, not SIGXFSZ */
    ck_assert_msg(status == MUSTER_ERR_NO_SPACE && strstr(detail, "ulimit -f"), "8 MiB: %s", detail);
}
END_TEST

/* With ever fewer descriptors: from enough to none. */
START_TEST(test_descriptors)
{
    bool refused = false;
    const char *detail;

    for (rlim_t limit = 40; limit >= 3; limit--) {
        muster_status status = launch_limited(RLIMIT_NOFILE, limit, &detail);

        ck_assert_msg(status == MUSTER_OK || strlen(detail) > 10, "%d descriptors: %s (%s)", (int)limit,
                      muster_status_string(status), detail);
        ck_assert_msg(status != MUSTER_ERR_PEER_DIED || strstr(detail, "could not start"),
                      "%d descriptors: %s", (int)limit, detail);
        refused = refused || status != MUSTER_OK;
    }
    ck_assert(refused);
}
END_TEST

/* ---- another namespace of pids ---- */

static muster_status attach_by_name(const char *name, int rank, muster_group **world)
{
    muster_config config = MUSTER_CONFIG_INIT;

    config.arena = name;
    config.rank = rank;
    config.size = 2;
    return muster_attach(&config, world);
}

/* In a namespace of its own, where it is process 1. */
static pid_t start_foreign_rank(const char *name)
{
    pid_t parent = fork();

    if (parent != 0)
        return parent;
    if (unshare(CLONE_NEWPID) < 0)
        _exit(77);
    pid_t rank = fork();
    if (rank == 0) {
        muster_group *world;

        if (attach_by_name(name, 1, &world) != MUSTER_OK || muster_barrier(world) != MUSTER_OK)
            _exit(1);
        kill(getpid(), SIGKILL); /* which the first process of a namespace survives */
        _exit(9);
    }
    waitpid(rank, NULL, 0);
    _exit(0);
}

START_TEST(test_ranks_of_another_pid_namespace)
{
    muster_group *world;
    char name[64];
    int status;

    if (geteuid() != 0 || strcmp(mst_os_park_name(), "futex") != 0)
        return; /* needs a namespace and beacons */
    name_of_test(name, sizeof name, "namespace");
    pid_t foreign = start_foreign_rank(name);
    ck_assert_int_eq(attach_by_name(name, 0, &world), MUSTER_OK);
    ck_assert_int_eq(muster_barrier(world), MUSTER_OK);
    ck_assert_int_eq(muster_barrier(world), MUSTER_ERR_PEER_DIED);
    /* Its pid, 1, is somebody else here, and must not be asked. */
    ck_assert_msg(strstr(muster_error_detail(), "rank 1 is gone (how it ended is not known)"), "%s",
                  muster_error_detail());
    ck_assert_int_eq(muster_group_free(world), MUSTER_OK);
    ck_assert_int_eq(waitpid(foreign, &status, 0), foreign);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *tests = tcase_create("limits");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_address_space);
    tcase_add_test(tests, test_file_size);
    if (!under_thread_sanitizer()) { /* its own files, and forks beside its threads */
        tcase_add_test(tests, test_descriptors);
        tcase_add_test(tests, test_ranks_of_another_pid_namespace);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
