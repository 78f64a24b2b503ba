/*
 * Under system call filters: what a sandbox refuses, with EPERM or ENOSYS, takes away speed or a way of
 * learning of deaths, never an answer. What nothing can replace is an error in words.
 */
#define _GNU_SOURCE /* F_GET_SEALS */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shm/port/huge.h"
#include "shm/port/os.h"
#include "tests/harness/ranks.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { REFUSED_MAX = 8 };

#define POPULATE "madvise to populate" /* which Linux has since 5.14 */

static const struct row {
    const char *refused[REFUSED_MAX];
    const char *says; /* the launch fails; NULL: it works */
} rows[] = {
    { { NULL }, NULL },
    { { "futex_waitv" }, NULL },
    { { "pidfd_open" }, NULL },
    { { "futex_waitv", "pidfd_open" }, NULL },
    { { "set_robust_list" }, NULL },
    { { "sched_getaffinity", "sched_getscheduler", "sched_yield" }, NULL },
    { { "fstatfs", "getrandom" }, NULL },
    { { "prctl" }, "prctl" },
    { { "futex_waitv", "pidfd_open", "set_robust_list", "getrandom", "process_vm_readv", "kcmp", "ptrace" },
      NULL },
    { { "memfd_create", "fsopen" }, "memfd" },
    { { "fallocate" }, NULL },
    { { POPULATE }, NULL },
    { { POPULATE, "futex_waitv", "pidfd_open" }, NULL },
    { { "madvise" }, "map the arena" },
    { { "ftruncate" }, "size the arena" },
};
#define ROWS (int)(sizeof rows / sizeof rows[0])

static const int errors[] = { EPERM, ENOSYS };

/* For this process, which Check has forked for the test, and all that it starts. */
static void filter_calls(const struct row *row, uint32_t action)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    ck_assert_ptr_nonnull(filter);
    for (int i = 0; i < REFUSED_MAX && row->refused[i]; i++) {
        bool populate = strcmp(row->refused[i], POPULATE) == 0;
        int number = seccomp_syscall_resolve_name(populate ? "madvise" : row->refused[i]);
        struct scmp_arg_cmp which = SCMP_A2(SCMP_CMP_EQ, MADV_POPULATE_WRITE);

        if (number >= 0) /* or this system has no such call anyway */
            ck_assert_int_eq(seccomp_rule_add_array(filter, action, number, populate, &which), 0);
    }
    ck_assert_int_eq(seccomp_load(filter), 0);
    seccomp_release(filter);
}

/* Works, and then loses a rank. */
static int use_and_lose(muster_group *world, void *arg)
{
    float x = 1;

    (void)arg;
    for (int i = 0; i < 100; i++) {
        x = 1;
        RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world));
        RANK_CHECK(world, x == 3);
    }
    if (muster_group_rank(world) == 1)
        raise(SIGKILL);
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 1") != NULL);
    return 0;
}

START_TEST(test_what_a_sandbox_refuses)
{
    const struct row *row = &rows[_i % ROWS];
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[3];

    config.size = 3;
    config.on_failure = MUSTER_ON_FAILURE_CONTINUE;
    report.terminations = terminations;
    filter_calls(row, SCMP_ACT_ERRNO((uint32_t)errors[_i / ROWS]));
    muster_status status = muster_launch(&config, use_and_lose, NULL, &report);
    const char *what = row->refused[0] ? row->refused[0] : "nothing";
    if (row->says) {
        ck_assert_msg(status != MUSTER_OK && strstr(muster_error_detail(), row->says), "%s: %s", what,
                      muster_error_detail());
        return;
    }
    ck_assert_msg(status == MUSTER_ERR_PEER_DIED, "%s: %s", what, muster_error_detail());
    for (int rank = 0; rank < 3; rank++)
        ck_assert_msg(
            rank == 1 ? terminations[1].code == SIGKILL
                      : terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0,
            "%s: rank %d ended %d, %d", what, rank, terminations[rank].kind, terminations[rank].code);
}
END_TEST

/* ---- large pages ---- */

static const struct row steps[] = {
    { { "fsopen" }, "opening a file system" },
    { { "fsconfig" }, "huge=always" },
    { { "fsmount" }, "mounting it" },
    { { "fsopen", "unshare" }, "" }, /* as EPERM a user namespace, as ENOSYS the first step */
};
#define STEPS (int)(sizeof steps / sizeof steps[0])

static int add_up(muster_group *world, void *arg)
{
    int32_t one = 1, sum;

    (void)arg;
    RANK_OK(world, muster_all_sum(&one, &sum, 1, MUSTER_INT32, world));
    RANK_CHECK(world, sum == 2);
    return 0;
}

static bool note_seals(int fd, void *arg)
{
    *(bool *)arg = fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK;
    return true;
}

/* Under that filter large pages fail with the error, and the arena is a memfd; doctor has a step to name. */
static void expect_small_pages(const struct row *row, uint32_t action, int error, const char *says)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    const char *why = NULL;
    bool sealed = false;
    int helped;

    config.size = 2;
    config.arena = note_seals;
    config.arena_arg = &sealed;
    filter_calls(row, action);
    ck_assert_int_eq(mst_os_object_create_huge(&why, &helped), -error);
    ck_assert_msg(why && strstr(why, says), "%s: %s", row->refused[0], why);
    muster_status status = muster_launch(&config, add_up, NULL, NULL);
    ck_assert_msg(status == MUSTER_OK && sealed, "%s: %s", row->refused[0], muster_error_detail());
}

START_TEST(test_pages_are_small_then)
{
    expect_small_pages(&steps[_i % STEPS], SCMP_ACT_ERRNO((uint32_t)errors[_i / STEPS]), errors[_i / STEPS],
                       steps[_i % STEPS].says);
}
END_TEST

/* A folder of its own, where a core file would be that the system writes beside the program. */
static void enter_folder(char *folder)
{
    struct rlimit cores;

    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &cores), 0);
    cores.rlim_cur = cores.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_CORE, &cores), 0);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

/* A filter that kills, as systemd's, takes the helper only, which leaves no core file. */
START_TEST(test_pages_are_small_if_it_kills)
{
    char folder[] = "/tmp/muster_sandbox_XXXXXX";

    enter_folder(folder);
    expect_small_pages(&steps[0], SCMP_ACT_KILL_PROCESS, ECHILD, "helper"); /* the first call of all */
    ck_assert_msg(rmdir(folder) == 0, "something is left in %s", folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox");
    TCase *tests = tcase_create("sandbox");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_loop_test(tests, test_what_a_sandbox_refuses, 0, 2 * ROWS);
    tcase_add_loop_test(tests, test_pages_are_small_then, 0, 2 * STEPS);
    tcase_add_test(tests, test_pages_are_small_if_it_kills);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
