/* muster_launch leaves the limits, the signal mask, the descriptors and the children of its caller as they
 * were, and passes on what ranks print. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

static int see_soft_limit(muster_group *world, void *arg)
{
    struct rlimit limit;

    (void)arg;
    RANK_CHECK(world, getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 16);
    return 0;
}

/* Many ranks need more descriptors than the soft limit allows. It is raised for the run, and then restored;
 * ranks have the old one. The signal mask is as before, too. */
START_TEST(test_what_a_launch_leaves_alone)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    static const char *const command[] = { "true", NULL };
    struct rlimit before, low, after;
    sigset_t masks[2];

    config.size = 20;
    config.prefix_output = true;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){ 16, before.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &masks[0]), 0);
    ck_assert_msg(muster_launch(&config, see_soft_limit, NULL, NULL) == MUSTER_OK, "%s",
                  muster_error_detail());
    config.command = command;
    ck_assert_msg(muster_launch(&config, NULL, NULL, NULL) == MUSTER_OK, "%s", muster_error_detail());
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &after), 0);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &masks[1]), 0);
    ck_assert(after.rlim_cur == 16 && after.rlim_max == before.rlim_max);
    for (int signal = 1; signal < 32; signal++)
        ck_assert_int_eq(sigismember(&masks[0], signal), sigismember(&masks[1], signal));
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, and no guard */
    ck_assert_int_eq(errno, ECHILD);
    setrlimit(RLIMIT_NOFILE, &before);
}
END_TEST

typedef struct seen {
    char text[2][200]; /* by rank: lines of stdout, each with | behind it */
} seen;

static void see_line(int rank, int fd, const char *line, size_t bytes, void *arg)
{
    seen *seen = arg;
    char *text = seen->text[rank];

    if (fd == 1 && strlen(text) + bytes + 2 < sizeof seen->text[rank]) {
        strncat(text, line, bytes);
        strcat(text, "|");
    }
}

/* The output function gets whole lines, in however many writes they come. */
START_TEST(test_whole_lines)
{
    static const char *const command[] = { "sh", "-c", "printf one; printf ' two\\n'; printf three", NULL };
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    seen seen = { { "", "" } };

    config.size = 2;
    config.command = command;
    config.output = see_line;
    config.output_arg = &seen;
    ck_assert_msg(muster_launch(&config, NULL, NULL, NULL) == MUSTER_OK, "%s", muster_error_detail());
    ck_assert_str_eq(seen.text[0], "one two|three|");
    ck_assert_str_eq(seen.text[1], "one two|three|");
}
END_TEST

static int is_a_rank(muster_group *world, void *arg)
{
    (void)arg;
    RANK_OK(world, muster_barrier(world));
    RANK_CHECK(world, write(1, "x\n", 2) == 2);
    return 0;
}

/* Where descriptors 0 to 2 are closed, none of the launcher's own becomes one of them. */
START_TEST(test_closed_standard_descriptors)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;
    int kept[3];

    config.size = 2;
    config.prefix_output = true;
    for (int fd = 0; fd < 3; fd++)
        ck_assert_int_ge(kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10), 10);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    muster_status status = muster_launch(&config, is_a_rank, NULL, &report);
    bool closed = fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
    for (int fd = 0; fd < 3; fd++)
        dup2(kept[fd], fd);
    ck_assert_msg(status == MUSTER_ERR_SYSTEM && report.output_lost && report.exit_status == 1 &&
                      report.first_failed == -1,
                  "%s", report.summary);
    ck_assert(closed);
}
END_TEST

/* Nobody reads: the ranks are stopped, and this process has no signal. */
START_TEST(test_nobody_reads)
{
    static const char *const command[] = { "yes", NULL };
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;
    int ends[2], kept = fcntl(1, F_DUPFD_CLOEXEC, 10);

    ck_assert_int_eq(pipe(ends), 0);
    config.size = 2;
    config.command = command;
    config.prefix_output = true;
    dup2(ends[1], 1);
    close(ends[0]);
    close(ends[1]);
    muster_status status = muster_launch(&config, NULL, NULL, &report);
    dup2(kept, 1);
    ck_assert_msg(status != MUSTER_OK && report.exit_status == 128 + SIGPIPE && report.output_lost, "%s",
                  report.summary);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch");
    TCase *tests = tcase_create("launch");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_what_a_launch_leaves_alone);
    tcase_add_test(tests, test_whole_lines);
    tcase_add_test(tests, test_closed_standard_descriptors);
    tcase_add_test(tests, test_nobody_reads);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
