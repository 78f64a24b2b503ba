/* Handlers of signals.h. */
#define _GNU_SOURCE /* pipe2, NSIG */
#include "tools/muster/run/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tools/muster/helper.h"

static int ends[2]; /* of the pipe */
static pid_t watcher, feeder;
static volatile sig_atomic_t hung;  /* the watcher has asked us to end */
static volatile sig_atomic_t unfed; /* the feeder has failed, and ranks were asked to end */
static volatile sig_atomic_t asked; /* the latest signal of a user's that asks to end */
static volatile sig_atomic_t over;  /* the ranks are gone: */
static volatile sig_atomic_t late;  /* it asks us */

static void pass_on(int signal)
{
    unsigned char byte = (unsigned char)signal;
    int saved = errno;

    if (write(ends[1], &byte, 1) < 0)
        errno = saved; /* the pipe is full: signals enough are on their way */
    errno = saved;
}

static bool asks_to_end(int signal)
{
    return signal == SIGINT || signal == SIGTERM || signal == SIGHUP;
}

static void note_user(int signal)
{
    asked = signal;
    if (over)
        late = signal;
}

static void note_signal(int signal, siginfo_t *info, void *context)
{
    static volatile sig_atomic_t stops; /* until we are continued: each attempt to write asks anew */
    bool of_background = signal == SIGTTIN || signal == SIGTTOU;

    (void)context;
    if (of_background && stops)
        return;
    stops = of_background || (stops && signal != SIGCONT);
    if (signal == SIGTERM && watcher && info->si_pid == watcher)
        hung = 1;
    else if (asks_to_end(signal))
        note_user(signal);
    pass_on(of_background ? SIGTSTP : signal); /* the ranks stop, too */
}

/* Half of the input would be taken for all of it. */
static void note_child(int signal)
{
    int saved = errno;

    (void)signal;
    if (!unfed && helper_failure(feeder)) {
        unfed = 1;
        pass_on(SIGTERM);
    }
    errno = saved;
}

/* In the background of a terminal they come to who reads from it, or, after stty tostop, writes to it. The
 * call must fail then, or it would only send another. */
static const int of_terminal[] = { SIGTTIN, SIGTTOU };

/* nohup and shells without job control ignore some on purpose: those are left. */
static void handle(int signal, const struct sigaction *action)
{
    struct sigaction before;

    if (sigaction(signal, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(signal, action, NULL);
}

static void handle_passed(const struct sigaction *action)
{
    sigset_t passed;

    helper_list_passed(&passed);
    for (int signal = 1; signal < NSIG; signal++)
        if (sigismember(&passed, signal) == 1)
            handle(signal, action);
}

int signals_take(pid_t hang_watcher, pid_t input_feeder)
{
    struct sigaction action = { .sa_sigaction = note_signal, .sa_flags = SA_RESTART | SA_SIGINFO };
    struct sigaction of_child = { .sa_handler = note_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP };

    watcher = hang_watcher;
    feeder = input_feeder;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    handle_passed(&action);
    action.sa_flags = SA_SIGINFO;
    for (size_t i = 0; i < sizeof of_terminal / sizeof of_terminal[0]; i++)
        handle(of_terminal[i], &action);
    if (feeder) {
        sigaction(SIGCHLD, &of_child, NULL);
        note_child(SIGCHLD); /* it may have failed before */
    }
    return ends[0];
}

/* What came after the launcher had looked for the last time. */
static void take_unread(void)
{
    unsigned char unread[64];
    ssize_t got = read(ends[0], unread, sizeof unread);

    for (ssize_t i = 0; i < got; i++)
        if (asks_to_end(unread[i]) && unread[i] == asked)
            late = asked;
}

void signals_let_go(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL };

    for (size_t i = 0; i < sizeof of_terminal / sizeof of_terminal[0]; i++)
        handle(of_terminal[i], &action);
    over = 1;
    take_unread();
}

int signals_late(void)
{
    return late;
}

bool signals_of_hang(void)
{
    return hung;
}
