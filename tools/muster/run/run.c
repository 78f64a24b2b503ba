/*
 * `muster run`: starts N ranks of a command, shows their output line by line, passes signals on, and
 * exits with the status of the rank that failed first.
 */
#define _GNU_SOURCE /* F_DUPFD_CLOEXEC, sigwaitinfo */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "muster/muster.h"
#include "tools/muster/commands.h"
#include "tools/muster/helper.h"
#include "tools/muster/inherited.h"
#include "tools/muster/look/inspect.h"
#include "tools/muster/look/jobs.h"
#include "tools/muster/options.h"
#include "tools/muster/run/hang.h"
#include "tools/muster/run/output.h"
#include "tools/muster/run/prepare.h"
#include "tools/muster/run/signals.h"
#include "tools/muster/run/strays.h"
#include "tools/muster/run/terminal.h"
#include "tools/muster/text.h"
#include "tools/muster/trace/collect.h"
#include "tools/muster/variables.h"

#define EXIT_NOT_LAUNCHED 125
#define EXIT_PIPE (128 + SIGPIPE)
#define PATIENCE_MS 1000
#define CAREFUL_BYTES 512 /* what a pipe or terminal with any room takes without blocking */

static bool unread;        /* nobody has read what the ranks printed */
static pid_t hang_watcher; /* 0: there is none */
static pid_t feeder;       /* 0: there is none */

/* As a program ends whose reader is gone: nobody is told, unless our parent wanted it so. */
static bool ends_by_pipe(const muster_report *report)
{
    return report->output_lost && report->exit_status == EXIT_PIPE && !inherited_ignores_pipe();
}

/* Says it as long as somebody may read it: the job is over, and must not hang for that. */
static void write_patiently(const char *text, size_t bytes)
{
    struct pollfd polled = { .fd = STDERR_FILENO, .events = POLLOUT };

    while (bytes > 0 && poll(&polled, 1, PATIENCE_MS) > 0 && (polled.revents & POLLOUT)) {
        ssize_t done = write(STDERR_FILENO, text, bytes < CAREFUL_BYTES ? bytes : CAREFUL_BYTES);

        if (done <= 0)
            return;
        text += done;
        bytes -= (size_t)done;
    }
}

static void tell(const char *text)
{
    char line[2048];
    int bytes = snprintf(line, sizeof line, "muster run: %s\n", text);

    write_patiently(line, bytes < (int)sizeof line ? (size_t)bytes : sizeof line - 1);
}

/* Whether it has failed; what it cannot say of it itself is told. */
static bool tell_of_helper(pid_t helper, const char *which, const char *consequence)
{
    int failure = helper_failure(helper);
    char text[300];

    snprintf(text, sizeof text, "%s was killed by signal %d (%s): %s", which, failure - 128,
             strsignal(failure - 128), consequence);
    if (failure > 128)
        tell(text);
    return failure != 0;
}

static bool tell_of_feeder(void)
{
    return tell_of_helper(feeder, "--stdin all: the process that gives ranks their input",
                          "they have not had all of it, and were asked to end");
}

/* A job may have gone on after a rank's death, and hung later. */
static void tell_of_hang(const run_options *options, const muster_report *report)
{
    char text[1024];

    snprintf(text, sizeof text,
             "a rank has waited for more than %.3g s, so the ranks were stopped (--on-hang abort)%s%s",
             hang_after_seconds(options), report->first_failed < 0 ? "" : "; before that, ",
             report->first_failed < 0 ? "" : report->summary);
    tell(text);
}

/* The last line: what was the cause. */
static void conclude(const run_options *options, const muster_report *report)
{
    bool is_told = report->output_lost && report->first_failed < 0 && report->exit_status == EXIT_FAILURE;
    bool asked = report->stopped_by == SIGTERM;
    bool went_on = report->first_failed >= 0 && options->launch.on_failure != MUSTER_ON_FAILURE_KILL;

    if (signals_of_hang() && (asked || went_on))
        tell_of_hang(options, report);
    else if (asked && helper_failure(feeder) > 128)
        tell_of_feeder();
    else if (!is_told && !ends_by_pipe(report))
        tell(report->summary[0] ? report->summary : muster_error_detail());
}

static int launch(const run_options *options)
{
    muster_report report = MUSTER_REPORT_INIT;

    muster_status status = muster_launch(&options->launch, NULL, NULL, &report);
    signals_let_go();
    tell_of_helper(hang_watcher, "--on-hang: the process that looks for hangs",
                   "nobody has looked for them since");
    if (status == MUSTER_OK)
        return tell_of_feeder() ? EXIT_FAILURE : EXIT_SUCCESS;
    conclude(options, &report);
    unread = ends_by_pipe(&report);
    return report.exit_status ? report.exit_status : EXIT_NOT_LAUNCHED;
}

/* Where nothing is to be added to what ranks print, they write for themselves. */
static bool is_plain(const run_options *options)
{
    return !options->launch.terminal && options->prefix == RUN_PREFIX_NONE && !options->timestamps &&
           !options->log_folder && options->all_shown;
}

/* As a program ends whose reader is gone, or that was asked to. */
static void end_by(int number)
{
    terminal_take_back();
    inherited_restore();
    signal(number, SIG_DFL);
    raise(number);
}

/* The job's arena, for what is to be said of it when its ranks are gone. */
typedef struct kept_arena {
    int fd;
    trace_collector *collector; /* NULL: none */
} kept_arena;

static bool keep_arena(int fd, void *arg)
{
    kept_arena *kept = arg;

    kept->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return kept->fd >= 0 && (!kept->collector || collector_start(fd, kept->collector));
}

static void show_post_mortem(int fd)
{
    muster_inspection seen = MUSTER_INSPECTION_INIT;
    char *text = NULL;
    size_t bytes = 0;

    if (fd < 0 || muster_inspect(fd, &seen) != MUSTER_OK)
        return;
    FILE *to = open_memstream(&text, &bytes);
    if (to) {
        fprintf(to, "muster run: the ranks, as they ended:\n");
        take_last_calls(&seen);
        print_ranks(&seen, to);
        print_verdicts(&seen, to);
        if (fclose(to) == 0)
            write_patiently(text, bytes);
        free(text);
    }
    muster_inspection_free(&seen);
}

static bool open_trace(trace_collector *collector, const run_options *options)
{
    static char command[300];

    read_command(getpid(), command, sizeof command);
    return collector_open(collector, options->trace, command,
                          options->trace_limit ? (size_t)options->trace_limit : TRACE_LIMIT);
}

static int run(run_options *options)
{
    static run_preparation preparation;
    static run_output output;
    trace_collector collector;
    kept_arena kept = { -1, options->trace ? &collector : NULL };

    strays_begin();
    if (!prepare_all(&preparation, options) || !output_open(&output, options) ||
        (options->trace && !open_trace(&collector, options)) ||
        (options->on_hang != RUN_HANG_NOTHING && (hang_watcher = hang_watch(options)) < 0))
        return EXIT_NOT_LAUNCHED;
    feeder = preparation.feed.pid;
    options->launch.signal_fd = signals_take(hang_watcher, feeder);
    if (options->launch.signal_fd < 0) {
        perror("muster run: pipe");
        return EXIT_NOT_LAUNCHED;
    }
    options->launch.show = output_show;
    options->launch.show_arg = &output;
    options->launch.prefix_output = !is_plain(options);
    options->launch.prepare = prepare_rank;
    options->launch.prepare_arg = &preparation;
    options->launch.arena = keep_arena;
    options->launch.arena_arg = &kept;
    if (!options->keep_detached)
        prctl(PR_SET_CHILD_SUBREAPER, 1); /* what they let go of becomes ours, to end it */
    int status = launch(options);
    if (options->post_mortem && status != EXIT_SUCCESS)
        show_post_mortem(kept.fd);
    leave_unread_error();
    if (options->trace && !collector_finish(&collector, signals_late) && status == EXIT_SUCCESS)
        status = EXIT_NOT_LAUNCHED;
    if (!options->keep_detached)
        strays_end();
    leave_unread_error();
    if (!output_close(&output) && status == EXIT_SUCCESS)
        status = EXIT_FAILURE;
    if (unread || signals_late())
        end_by(unread ? SIGPIPE : signals_late());
    return status;
}

/* Whether the worker has ended; reaps whoever else has. */
static bool reap(pid_t worker, int *status)
{
    int found;

    for (pid_t ended; (ended = waitpid(-1, &found, WNOHANG)) > 0;)
        if (ended == worker) {
            *status = WIFEXITED(found) ? WEXITSTATUS(found) : 128 + WTERMSIG(found);
            return true;
        }
    return false;
}

/* As process 1 of a container: a child of ours does the work, and we are what process 1 must be: we reap
 * whoever is left to us, and pass signals on. They are taken one by one, as the kernel drops what comes to a
 * process 1 that neither handles nor blocks it. */
static int run_below_init(run_options *options)
{
    sigset_t taken, before;
    int status = 0;

    helper_list_passed(&taken);
    sigaddset(&taken, SIGCHLD);
    sigprocmask(SIG_BLOCK, &taken, &before);
    pid_t worker = fork();
    if (worker < 0) {
        perror("muster run: fork");
        return EXIT_NOT_LAUNCHED;
    }
    if (worker == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        exit(run(options));
    }
    while (!reap(worker, &status)) {
        int signal = sigwaitinfo(&taken, NULL);

        if (signal > 0 && signal != SIGCHLD)
            kill(worker, signal);
    }
    return status;
}

int command_run(int argc, char **argv)
{
    static run_options options;

    int status = parse_run(argc, argv, &options);
    if (status != OPTIONS_PARSED)
        return status;
    warn_of_variables("run");
    warn_of_other_launcher("run");
    inherited_change();
    return getpid() == 1 ? run_below_init(&options) : run(&options);
}
