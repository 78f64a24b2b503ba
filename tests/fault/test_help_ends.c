/*
 * What ends the collective that helpers belong to ends their calls, with the same status and error; and what
 * ends a helper's call before thread 0 has come.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/onehost/group/group.h"
#include "tests/harness/ranks.h"
#include "tests/harness/workers.h"

enum { THREADS = 3, COUNT = 100003, BEFORE = 5 };

/* What the threads of a rank have been told. */
typedef struct told {
    _Atomic int calls; /* that succeeded, of each */
    muster_status status;
    char detail[512];
} told;

static int help_until_an_error(worker *self)
{
    told *told = self->shared;

    while ((told->status = muster_help(self->group, self->index)) == MUSTER_OK)
        told->calls++;
    strncpy(told->detail, muster_error_detail(), sizeof told->detail - 1);
    return 0;
}

/* The helpers begin; thread 0 makes calls until one fails, or makes none; and all are told the same. */
static int end_by(muster_group *group, muster_status expected, const char *said, bool calls)
{
    told told[THREADS] = { { .calls = 0 } };
    worker workers[THREADS];
    float *values = calloc(COUNT, sizeof *values);

    RANK_CHECK(group, values);
    for (int i = 1; i < THREADS; i++) {
        workers[i] = (worker){ .group = group, .shared = &told[i], .index = i, .work = help_until_an_error };
        RANK_CHECK(group, worker_start(&workers[i]));
    }
    while (calls &&
           (told[0].status = muster_all_sum(values, values, COUNT, MUSTER_FLOAT32, group)) == MUSTER_OK)
        told[0].calls++;
    strcpy(told[0].detail, calls ? muster_error_detail() : "");
    for (int i = 1; i < THREADS; i++) {
        RANK_CHECK(group, worker_join(&workers[i]) == 0);
        RANK_CHECK(group, told[i].status == expected && strstr(told[i].detail, said));
        RANK_CHECK(group, told[i].calls == told[0].calls);
        RANK_CHECK(group, !calls || strcmp(told[i].detail, told[0].detail) == 0);
    }
    RANK_CHECK(group, !calls || told[0].status == expected);
    free(values);
    return 0;
}

/* ---- deaths ---- */

static int lose_a_rank(muster_group *world, void *arg)
{
    float *values = calloc(COUNT, sizeof *values);

    (void)arg;
    RANK_CHECK(world, values);
    if (muster_group_rank(world) == 1) {
        for (int i = 0; i < BEFORE; i++)
            RANK_OK(world, muster_all_sum(values, values, COUNT, MUSTER_FLOAT32, world));
        raise(SIGKILL);
    }
    free(values);
    RANK_OK(world, muster_group_set_threads(world, THREADS));
    return end_by(world, MUSTER_ERR_PEER_DIED, "rank 1 was killed by signal 9", true);
}

START_TEST(test_death)
{
    muster_termination terminations[2];
    muster_report report = MUSTER_REPORT_INIT;

    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = 2 }, lose_a_rank, NULL, &report);
    ck_assert_int_eq(terminations[0].kind, MUSTER_TERMINATION_EXITED);
    ck_assert_int_eq(terminations[0].code, 0);
    ck_assert_int_eq(terminations[1].kind, MUSTER_TERMINATION_SIGNALED);
}
END_TEST

/* ---- deadlines ---- */

static int be_late(muster_group *world, void *arg)
{
    _Atomic int *over = arg;

    if (muster_group_rank(world) == 1) {
        AWAIT(*over);
        return 0;
    }
    RANK_OK(world, muster_group_set_timeout(world, 50 * 1000 * 1000));
    RANK_OK(world, muster_group_set_threads(world, THREADS));
    int code = end_by(world, MUSTER_ERR_TIMED_OUT, "rank 1", true);
    *over = 1;
    return code;
}

START_TEST(test_deadline)
{
    _Atomic int *over = shared_page(sizeof *over);

    run_ranks(2, _i ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, be_late, (void *)(uintptr_t)over);
    shared_page_free((void *)(uintptr_t)over, sizeof *over);
}
END_TEST

/* ---- before thread 0 has come ---- */

static int abort_it(muster_group *world, void *arg)
{
    _Atomic int *waiting = arg;

    if (muster_group_rank(world) == 1) {
        AWAIT(*waiting);
        RANK_OK(world, muster_group_abort(world, "that is enough"));
        return 0;
    }
    RANK_OK(world, muster_group_set_threads(world, THREADS));
    *waiting = 1;
    return end_by(world, MUSTER_ERR_ABORTED, "that is enough", false);
}

START_TEST(test_abort)
{
    _Atomic int *waiting = shared_page(sizeof *waiting);

    run_ranks(2, _i ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, abort_it, (void *)(uintptr_t)waiting);
    shared_page_free((void *)(uintptr_t)waiting, sizeof *waiting);
}
END_TEST

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static int interrupt_it(muster_group *world, void *arg)
{
    (void)arg;
    RANK_OK(world, muster_group_set_threads(world, THREADS));
    RANK_OK(world, muster_group_set_interrupt(world, always, NULL));
    return end_by(world, MUSTER_ERR_ABORTED, "rank 0 was interrupted", false);
}

START_TEST(test_interrupt)
{
    run_ranks(1, RANKS_AS_THREADS, interrupt_it, NULL);
}
END_TEST

/* ---- forks ---- */

static int fork_a_child(muster_group *world, void *arg)
{
    int status;

    (void)arg;
    RANK_OK(world, muster_group_set_threads(world, 2));
    pid_t child = fork();
    if (child == 0)
        _exit(muster_help(world, 1) == MUSTER_ERR_FORKED &&
                      muster_group_set_threads(world, 1) == MUSTER_ERR_FORKED
                  ? 0
                  : 1);
    RANK_CHECK(world, child > 0 && waitpid(child, &status, 0) == child && status == 0);
    return 0;
}

START_TEST(test_fork)
{
    run_ranks(1, RANKS_AS_PROCESSES, fork_a_child, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("the ends of helpers' calls");
    TCase *tests = tcase_create("ends");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_death);
    tcase_add_loop_test(tests, test_deadline, 0, 2);
    tcase_add_loop_test(tests, test_abort, 0, 2);
    tcase_add_test(tests, test_interrupt);
    tcase_add_test(tests, test_fork);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
