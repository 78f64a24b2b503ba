/*
 * `muster run`: starts N ranks of a command, shows their output line by line, passes signals on, and
 * exits with the status of the rank that failed first.
 */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "muster/muster.h"
#include "src/cli/commands.h"
#include "src/cli/mlx.h"
#include "src/cli/run_options.h"

#define EXIT_NOT_LAUNCHED 125

static int signal_pipe[2];

static void note_signal(int signal)
{
    unsigned char byte = (unsigned char)signal;
    int saved = errno;

    if (write(signal_pipe[1], &byte, 1) < 0)
        errno = saved; /* the pipe is full: signals enough are on their way */
    errno = saved;
}

/* Signals that a user sends to the job reach its ranks; SIGPIPE must not end the launcher. */
static int pass_signals_on(void)
{
    static const int passed[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
    struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESTART };

    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        struct sigaction before;

        /* nohup and shells without job control ignore some on purpose: leave those. */
        if (sigaction(passed[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(passed[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static void show_notice(const char *line, void *arg)
{
    (void)arg;
    fprintf(stderr, "muster run: %s\n", line);
}

static int launch(const muster_launch_config *config)
{
    muster_report report = MUSTER_REPORT_INIT;

    muster_status status = muster_launch(config, NULL, NULL, &report);
    if (status == MUSTER_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "muster run: %s\n", report.summary[0] ? report.summary : muster_error_detail());
    return report.exit_status ? report.exit_status : EXIT_NOT_LAUNCHED;
}

int command_run(int argc, char **argv)
{
    run_options options;

    int status = parse_run(argc, argv, &options);
    if (status != RUN_PARSED)
        return status;
    if (options.mlx && !prepare_mlx())
        return EXIT_NOT_LAUNCHED;
    if (pass_signals_on() < 0) {
        perror("muster run: pipe");
        return EXIT_NOT_LAUNCHED;
    }
    options.launch.signal_fd = signal_pipe[0];
    options.launch.notice = show_notice;
    return launch(&options.launch);
}
