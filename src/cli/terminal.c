/* Foreground of terminal.h. */
#define _GNU_SOURCE /* tcsetpgrp with C11 */
#include "src/cli/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

void terminal_come_to_front(int terminal)
{
    signal(SIGTTOU, SIG_IGN); /* or being in the background would stop us here */
    tcsetpgrp(terminal, getpgrp());
    signal(SIGTTOU, SIG_DFL);
}

bool terminal_take(void)
{
    int terminal = open("/dev/tty", O_RDWR);

    if (terminal < 0)
        return false;
    terminal_come_to_front(terminal);
    for (int fd = 0; fd < 3; fd++)
        dup2(terminal, fd);
    if (terminal > 2)
        close(terminal);
    return true;
}
