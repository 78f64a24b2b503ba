/*
 * One copy where the system lets some ranks read no peer's memory: a sandbox, containers, ranks with fewer
 * capabilities, another user's processes; from the beginning, or once the group is there. All results are
 * right, and nobody hangs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "tests/harness/moves.h"
#include "tests/harness/ranks.h"

enum { OWNER = 65534 };

static bool refuse_call(void)
{
    struct sock_filter rows[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { sizeof rows / sizeof rows[0], rows };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static bool keep_capabilities(uint32_t kept)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct sets[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

    if (geteuid() != 0)
        return false;
    sets[0].effective = sets[0].permitted = kept;
    return syscall(SYS_capset, &head, sets) == 0;
}

static bool become_a_user(void)
{
    return geteuid() != 0 || (setgroups(0, NULL) == 0 && setgid(OWNER) == 0 && setuid(OWNER) == 0 &&
                              prctl(PR_SET_DUMPABLE, 1) == 0);
}

typedef enum limit {
    NONE,
    FILTER_BEFORE,   /* a sandbox, around one rank */
    FILTER_AFTER,    /* the same, once the world is there */
    ALL_WITHOUT,     /* a container without CAP_SYS_PTRACE, and ranks of one user in it */
    ONE_WITHOUT,     /* one rank has fewer capabilities than the others */
    USER_NAMESPACE,  /* one rank in a container of its own, as root there */
    PID_NAMESPACE,   /* the same, where pids are others */
    UNDUMPABLE,      /* an ordinary user's rank that keeps secrets, from the beginning */
    UNDUMPABLE_LATE, /* or once the world is there */
    LIMITS
} limit;

static bool limit_before(limit limit, int rank)
{
    uint32_t ptrace = 1U << CAP_SYS_PTRACE;
    bool one = rank == MOVES_ROOT;

    switch (limit) {
    case FILTER_BEFORE:
        return !one || refuse_call();
    case ALL_WITHOUT:
        return keep_capabilities(~ptrace & (1U << CAP_SETUID | 1U << CAP_KILL));
    case ONE_WITHOUT:
        return one ? keep_capabilities(0) : geteuid() == 0;
    case USER_NAMESPACE:
        return !one || unshare(CLONE_NEWUSER) == 0;
    case PID_NAMESPACE:
        if (!one)
            return geteuid() == 0;
        if (geteuid() != 0 || unshare(CLONE_NEWPID) != 0)
            return false;
        pid_t child = fork(); /* which is in it */
        if (child > 0) {
            int status;

            waitpid(child, &status, 0);
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
        }
        return child == 0;
    case UNDUMPABLE:
    case UNDUMPABLE_LATE:
        return become_a_user() && (limit == UNDUMPABLE_LATE || !one || prctl(PR_SET_DUMPABLE, 0) == 0);
    default:
        return true;
    }
}

static bool limit_after(limit limit, int rank)
{
    if (rank != MOVES_ROOT)
        return true;
    if (limit == FILTER_AFTER)
        return refuse_call();
    return limit != UNDUMPABLE_LATE || prctl(PR_SET_DUMPABLE, 0) == 0;
}

static int be_limited(const char *name, int rank, limit limit)
{
    bool later = limit == FILTER_AFTER || limit == UNDUMPABLE_LATE,
         allowed = limit == NONE || limit == ALL_WITHOUT;
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world;

    if (!limit_before(limit, rank))
        return 1;
    config.arena = name;
    config.rank = rank;
    config.size = MOVES_SIZE;
    config.attach_timeout_ns = 20LL * 1000 * 1000 * 1000;
    if (muster_attach(&config, &world) != MUSTER_OK) {
        fprintf(stderr, "rank %d: %s\n", rank, muster_error_detail());
        return 1;
    }
    if (moves_run_all(world, 0))
        return 1;
    RANK_CHECK(world, copies_once(world) == (allowed || later));
    RANK_OK(world, muster_barrier(world));
    RANK_CHECK(world, limit_after(limit, rank));
    for (int round = 1; round < 3; round++)
        if (moves_run_all(world, round))
            return 1;
    RANK_CHECK(world, copies_once(world) == allowed);
    RANK_OK(world, muster_group_free(world));
    return 0;
}

/* Whether the limit can be had here, without privilege or in a container. */
static bool can_be_had(limit limit)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(limit_before(limit, MOVES_ROOT) && limit_before(limit, 0) ? 0 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

START_TEST(test_limits)
{
    pid_t ranks[MOVES_SIZE];
    char name[64];
    int status;

    if (!can_be_had((enum limit)_i)) {
        /* nor as root in a container, without CAP_SYS_ADMIN */
        bool refusable = geteuid() != 0 || _i == USER_NAMESPACE || _i == PID_NAMESPACE;

        ck_assert_msg(_i >= ALL_WITHOUT && refusable, "limit %d cannot be had here", _i);
        printf("skipped: limit %d cannot be had here\n", _i);
        return;
    }
    name_of_test(name, sizeof name, "one-copy");
    for (int rank = 0; rank < MOVES_SIZE; rank++) {
        ranks[rank] = fork();
        if (ranks[rank] == 0)
            _exit(be_limited(name, rank, (enum limit)_i));
    }
    for (int rank = 0; rank < MOVES_SIZE; rank++) {
        ck_assert_int_eq(waitpid(ranks[rank], &status, 0), ranks[rank]);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "limit %d: rank %d ended with %#x", _i,
                      rank, status);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("one copy refused");
    TCase *tests = tcase_create("one copy refused");

    setenv("MUSTER_TUNING", MOVES_READ_ALL, 1);
    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) /* it sees nothing between processes */
        tcase_add_loop_test(tests, test_limits, 0, LIMITS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
