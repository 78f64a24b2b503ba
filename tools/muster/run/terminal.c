/* Foreground of terminal.h. */
#define _GNU_SOURCE /* tcsetpgrp with C11 */
#include "tools/muster/run/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static int lent = -1;
static bool is_ours;         /* to lend */
static struct termios modes; /* as they were */
static bool has_modes;
static struct sigaction writing; /* in the background: SIGTTOU, as it was */

/* A script goes on behind us, and reads the terminal, too. A rank that was ended in the middle of a line, or
 * of a page, has not put it in order. */
void terminal_take_back(void)
{
    if (!is_ours)
        return;
    is_ours = false;
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(lent, getpgrp());
    if (has_modes)
        tcsetattr(lent, TCSANOW, &modes); /* draining waits, beyond any signal, where ^S holds the output */
}

static bool is_in_front(int terminal)
{
    return terminal >= 0 && tcgetpgrp(terminal) == getpgrp();
}

/* In the background the terminal is somebody else's: as whoever reads it there, we stop until we are to come
 * to the front. Where nobody can stop us, whoever has it keeps it. */
void terminal_lend(void)
{
    lent = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (lent >= 0 && !is_in_front(lent))
        kill(0, SIGTTIN);
    is_ours = is_in_front(lent);
    if (!is_ours)
        return;
    has_modes = tcgetattr(lent, &modes) == 0;
    /* From now on we are in the background of it, and still show what the other ranks print. */
    sigaction(SIGTTOU, NULL, &writing);
    signal(SIGTTOU, SIG_IGN);
    atexit(terminal_take_back);
}

void terminal_leave(void)
{
    if (is_ours)
        sigaction(SIGTTOU, &writing, NULL);
}

void terminal_come_to_front(int terminal)
{
    if (!is_ours)
        return;
    signal(SIGTSTP, SIG_IGN); /* who started us would wait for us, and the terminal would be nobody's */
    signal(SIGTTOU, SIG_IGN); /* or being in the background would stop us here */
    tcsetpgrp(terminal, getpgrp());
    signal(SIGTTOU, SIG_DFL);
}

bool terminal_take(void)
{
    int terminal = is_ours ? open("/dev/tty", O_RDWR) : -1;

    if (terminal < 0)
        return false;
    terminal_come_to_front(terminal);
    for (int fd = 0; fd < 3; fd++)
        dup2(terminal, fd);
    if (terminal > 2)
        close(terminal);
    return true;
}
