/* Finds and ends strays, for strays.h. */
#define _POSIX_C_SOURCE 200809L /* waitid */
#include "tools/muster/run/strays.h"

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 100

/* Our children as the kernel lists them; NULL: it does not. */
static FILE *open_children(void)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    return fopen(path, "r");
}

/* A number that nothing follows may have been cut. */
static bool next_child(FILE *children, pid_t *child)
{
    int pid;
    char behind;

    if (fscanf(children, "%d%c", &pid, &behind) != 2 || !isspace((unsigned char)behind))
        return false;
    *child = (pid_t)pid;
    return true;
}

/* False: it is none of ours, or of another user, and must not be waited for. */
static bool end(pid_t child)
{
    siginfo_t info;

    return child > 1 && waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child;
}

static bool end_all(FILE *children)
{
    bool any = false;

    for (pid_t child; next_child(children, &child);)
        any = end(child) || any;
    return any;
}

void strays_end(void)
{
    bool any = true;

    for (int round = 0; any && round < ROUNDS_MAX; round++) { /* those that are killed hand theirs over */
        FILE *children = open_children();

        any = children && end_all(children);
        if (children)
            fclose(children);
    }
}
