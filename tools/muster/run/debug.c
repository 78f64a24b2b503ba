/* The two ways to run gdb of debug.h. */
#define _GNU_SOURCE /* memfd_create, prctl */
#include "tools/muster/run/debug.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/muster/run/terminal.h"

#define STATUS_NO_GDB 127

static const char no_gdb[] = "cannot execute gdb; install it, or leave --gdb out";

/* Where the command stops, gdb prints every stack and lets it have its signal, of which it may die, or which
 * it may handle. Then the signal that has ended it goes to the file %s. */
static const char script[] = "set confirm off\n"
                             "set pagination off\n"
                             "run\n"
                             "if $_isvoid($_exitcode) && $_isvoid($_exitsignal)\n"
                             "  thread apply all bt\n"
                             "end\n"
                             "while $_isvoid($_exitcode) && $_isvoid($_exitsignal)\n"
                             "  continue\n"
                             "end\n"
                             "if !$_isvoid($_exitsignal)\n"
                             "  dump binary value %s $_exitsignal\n"
                             "end\n";

/* The words and the command behind them. */
static void execute(const char *const *words, const char *const *command)
{
    size_t count = 0, used = 0;

    while (command[count])
        count++;
    while (words[used])
        used++;
    const char **whole = calloc(used + count + 1, sizeof *whole);
    if (!whole)
        return;
    memcpy(whole, words, used * sizeof *whole);
    memcpy(whole + used, command, count * sizeof *whole);
    execvp("gdb", (char *const *)(uintptr_t)whole);
}

/* ---- without a terminal ---- */

static volatile sig_atomic_t asked; /* to end, by this signal */

static void note(int signal)
{
    asked = signal;
}

/* As if the command had been this process. gdb has said where; a second core file would say nothing more. */
static _Noreturn void end_by(int signal_number)
{
    struct rlimit none = { 0, 0 };

    setrlimit(RLIMIT_CORE, &none);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    _exit(128 + signal_number); /* one that ends nobody */
}

static _Noreturn void end_like(pid_t gdb, int outcome)
{
    int status = 0, signal_number = 0;

    while (waitpid(gdb, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pread(outcome, &signal_number, sizeof signal_number, 0) == sizeof signal_number)
        end_by(signal_number);
    if (asked)
        end_by(asked);
    if (WIFSIGNALED(status))
        end_by(WTERMSIG(status));
    _exit(WEXITSTATUS(status));
}

static const char *run_in_batch(const char *const *command)
{
    static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
    int commands = memfd_create("gdb-script", MFD_CLOEXEC),
        outcome = memfd_create("gdb-outcome", MFD_CLOEXEC);
    char script_path[40], outcome_path[40];

    if (commands < 0 || outcome < 0)
        return "no memory for gdb's script";
    /* By our descriptors, which gdb and the command do not inherit. */
    snprintf(script_path, sizeof script_path, "/proc/%d/fd/%d", (int)getpid(), commands);
    snprintf(outcome_path, sizeof outcome_path, "/proc/%d/fd/%d", (int)getpid(), outcome);
    dprintf(commands, script, outcome_path);
    const char *const words[] = { "gdb", "-q",        "-batch", "-return-child-result",
                                  "-x",  script_path, "--args", NULL };
    pid_t gdb = fork();
    if (gdb < 0)
        return "cannot fork for gdb";
    if (gdb == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execute(words, command);
        fprintf(stderr, "muster run: --gdb: %s\n", no_gdb);
        _exit(STATUS_NO_GDB);
    }
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        signal(ending[i], note);
    end_like(gdb, outcome);
}

const char *debug_run(const char *const *command)
{
    static const char *const words[] = { "gdb", "-q", "-ex", "run", "--args", NULL };

    if (!terminal_take())
        return run_in_batch(command);
    execute(words, command);
    return no_gdb;
}
