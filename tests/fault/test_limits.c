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
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/port/os.h"
#include "tests/harness/ranks.h"

static int use_a_little(muster_group *world, void *arg)
{
    float x = 1;

    (void)arg;
    RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world));
    RANK_CHECK(world, x == (float)muster_group_size(world));
    return 0;
}

typedef struct outcome {
    muster_status status;
    char detail[600];
} outcome;

/* In a process of its own, as a hard limit that was lowered cannot be raised again by everybody. */
static void launch_and_end(int resource, rlim_t limit, outcome *outcome)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    struct rlimit lower;

    config.size = 2;
    config.on_failure =
        MUSTER_ON_FAILURE_CONTINUE; /* ranks have Check's handler of TERM, which kills the test */
    if (getrlimit((__rlimit_resource_t)resource, &lower) != 0)
        _exit(1);
    lower = (struct rlimit){ limit, resource == RLIMIT_NOFILE ? limit : lower.rlim_max }; /* nor raised */
    if (setrlimit((__rlimit_resource_t)resource, &lower) != 0)
        _exit(1);
    outcome->status = muster_launch(&config, use_a_little, NULL, NULL);
    snprintf(outcome->detail, sizeof outcome->detail, "%s", muster_error_detail());
    _exit(0);
}

/* Launches two ranks under a limit; what became of it, and the sentence in *detail. */
static muster_status launch_limited(int resource, rlim_t limit, const char **detail)
{
    static outcome latest;
    outcome *outcome = shared_page(sizeof *outcome);
    pid_t child = fork();
    int status = 1;

    if (child == 0)
        launch_and_end(resource, limit, outcome);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    latest = *outcome;
    shared_page_free(outcome, sizeof *outcome);
    *detail = latest.detail;
    return latest.status;
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
        return; /* needs a namespace and death words */
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

/* ---- signals ---- */

static _Atomic int ticks;

static void count_tick(int signal)
{
    (void)signal;
    ticks++;
}

/* Messages, splits and collectives, short and long, in a thousand signals a second that nobody restarts for.
 */
static int work_in_signals(muster_group *world, void *arg)
{
    struct sigaction action = { .sa_handler = count_tick };
    struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
    static float x[50000], y[50000];
    int next = (muster_group_rank(world) + 1) % muster_group_size(world);
    int before = (muster_group_rank(world) + muster_group_size(world) - 1) % muster_group_size(world);

    (void)arg;
    RANK_CHECK(world, sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int32_t few = 1, some = 1; some;) { /* until every rank has had enough of them */
        muster_group *child;

        RANK_OK(world, muster_all_sum(x, y, 50000, MUSTER_FLOAT32, world));
        RANK_OK(world, muster_sendrecv(x, 50000, next, 0, y, 50000, before, 0, MUSTER_FLOAT32, world, NULL));
        RANK_OK(world, muster_group_split(world, 0, -1, &child));
        RANK_OK(child, muster_barrier(child));
        muster_group_free(child);
        few = ticks < 300;
        RANK_OK(world, muster_all_max(&few, &some, 1, MUSTER_INT32, world));
    }
    return 0;
}

START_TEST(test_a_storm_of_signals)
{
    run_ranks(3, RANKS_AS_PROCESSES, work_in_signals, NULL);
}
END_TEST

/* ---- memory that must not be executed ---- */

static int launch_where_memory_is_not_executable(void)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    FILE *file = fopen("/proc/sys/vm/memfd_noexec", "we");

    if (!file || fputs("2", file) < 0 || fclose(file) != 0)
        return 0; /* this system has no such setting */
    config.size = 2;
    return muster_launch(&config, use_a_little, NULL, NULL) != MUSTER_OK;
}

/* vm.memfd_noexec=2, in a namespace of its own, which the setting belongs to. */
START_TEST(test_no_executable_memory)
{
    int status;

    pid_t child = fork();
    if (child == 0) {
        if (geteuid() != 0 || unshare(CLONE_NEWPID) < 0)
            _exit(0);
        pid_t inner = fork();
        if (inner == 0)
            _exit(launch_where_memory_is_not_executable());
        _exit(waitpid(inner, &status, 0) == inner && status == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
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
        tcase_add_test(tests, test_a_storm_of_signals);
        tcase_add_test(tests, test_no_executable_memory);
        tcase_add_test(tests, test_ranks_of_another_pid_namespace);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
