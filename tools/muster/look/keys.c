/* The terminal of keys.h. */
#define _POSIX_C_SOURCE 200809L /* sigaction */
#include "tools/muster/look/keys.h"

#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static struct termios before;
static bool taken;

void keys_end(void)
{
    if (taken)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    taken = false;
}

/* The handler is gone by now (SA_RESETHAND), so that the signal does what it would have done. */
static void end_by_signal(int signal)
{
    keys_end();
    raise(signal);
}

void keys_begin(void)
{
    static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    struct sigaction action = { .sa_handler = end_by_signal, .sa_flags = SA_RESETHAND };

    if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
        tcgetattr(STDIN_FILENO, &before) != 0)
        return;
    for (int i = 0; i < 4; i++)
        sigaction(ending[i], &action, NULL);
    struct termios single = before;
    single.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    single.c_cc[VMIN] = 1;
    single.c_cc[VTIME] = 0;
    taken = tcsetattr(STDIN_FILENO, TCSANOW, &single) == 0;
}

bool keys_quit(int64_t ns)
{
    struct timespec pause = { ns / 1000000000, ns % 1000000000 };
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    int64_t ms = (ns + 999999) / 1000000;
    char key;

    if (!taken) {
        nanosleep(&pause, NULL);
        return false;
    }
    if (poll(&input, 1, (int)ms) <= 0 || read(STDIN_FILENO, &key, 1) != 1)
        return false;
    return key == 'q' || key == 'Q';
}
