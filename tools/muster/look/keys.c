/* The terminal of keys.h. */
#define _POSIX_C_SOURCE 200809L /* sigaction */
#include "tools/muster/look/keys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/types.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static struct termios before;
static volatile sig_atomic_t began; /* keys_begin has set this up, and keys_end has not ended it */
static volatile sig_atomic_t taken; /* the terminal is as this program needs it */

static void give_back(void)
{
    if (taken)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    taken = false;
}

/* Not in the background, where the terminal is another's. */
static void take(void)
{
    struct termios single = before;

    single.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    single.c_cc[VMIN] = 1;
    single.c_cc[VTIME] = 0;
    taken = tcgetpgrp(STDIN_FILENO) == getpgrp() && tcsetattr(STDIN_FILENO, TCSANOW, &single) == 0;
}

void keys_end(void)
{
    began = false;
    give_back();
}

/* The handler is gone by now (SA_RESETHAND), so that the signal does what it would have done. */
static void end_by_signal(int signal)
{
    keys_end();
    raise(signal);
}

static void handle_stops(void);

/* Likewise; a stopped program goes on behind raise(). */
static void stop_by_signal(int signal)
{
    int error = errno;

    give_back();
    raise(signal);
    handle_stops();
    errno = error;
}

/* Whoever had the terminal meanwhile has set it as it likes; in the background it is not ours. */
static void go_on(int signal)
{
    int error = errno;

    (void)signal;
    handle_stops();
    errno = error;
}

/* Sets what a stop takes away: the terminal, and the handler. */
static void handle_stops(void)
{
    struct sigaction stopping = { .sa_handler = stop_by_signal,
                                  .sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_RESTART) };

    sigaction(SIGTSTP, &stopping, NULL);
    if (began)
        take();
}

static bool is_ignored(int signal)
{
    struct sigaction now;

    return sigaction(signal, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

void keys_begin(void)
{
    static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    struct sigaction action = { .sa_handler = end_by_signal, .sa_flags = (int)SA_RESETHAND };
    struct sigaction continuing = { .sa_handler = go_on, .sa_flags = SA_RESTART };

    if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
        tcgetattr(STDIN_FILENO, &before) != 0)
        return;
    for (int i = 0; i < 4; i++)
        if (!is_ignored(ends[i])) /* as nohup has SIGHUP */
            sigaction(ends[i], &action, NULL);
    began = true;
    if (is_ignored(SIGTSTP)) {
        take();
        return;
    }
    sigaction(SIGCONT, &continuing, NULL);
    handle_stops();
}

/* A terminal that is gone always has something to read: its end, or an error. */
static bool is_gone(ssize_t got)
{
    return got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
}

bool keys_quit(int64_t ns)
{
    struct timespec pause = { ns / 1000000000, ns % 1000000000 };
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    int64_t ms = (ns + 999999) / 1000000;
    char key = 0;

    if (!taken) {
        nanosleep(&pause, NULL);
        return false;
    }
    if (poll(&input, 1, (int)ms) > 0 && is_gone(read(STDIN_FILENO, &key, 1)))
        give_back();
    return key == 'q' || key == 'Q';
}
