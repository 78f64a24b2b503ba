/* Finds and ends strays, for strays.h. */
#define _GNU_SOURCE /* CLOCK_BOOTTIME */
#include "tools/muster/run/strays.h"

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 100
#define FIELD_BEGUN 22 /* of /proc/PID/stat */
#define NS_PER_S (1000LL * 1000 * 1000)

/* Nobody waits for the spared ones, so that their numbers remain theirs. */
static pid_t *spared;
static size_t spared_count;
static long long begun_ticks; /* since the machine's start */

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

/* ---- who is spared ---- */

static long long now_ticks(void)
{
    long per_s = sysconf(_SC_CLK_TCK);
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * per_s + now.tv_nsec / (NS_PER_S / per_s);
}

/* When a process has begun; -1: it cannot be told. */
static long long read_begun_ticks(pid_t pid)
{
    char path[32], text[1024];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = '\0';
    const char *field = strrchr(text, ')'); /* the name before it may have anything in it */
    for (int number = 3; field && number <= FIELD_BEGUN; number++)
        field = strchr(field + 1, ' ');
    return field ? strtoll(field, NULL, 10) : -1;
}

/* A spared one may have left us what it had started before. */
static bool is_spared(pid_t child)
{
    for (size_t i = 0; i < spared_count; i++)
        if (spared[i] == child)
            return true;
    long long ticks = read_begun_ticks(child);
    return ticks >= 0 && ticks < begun_ticks;
}

void strays_begin(void)
{
    FILE *children = open_children();
    size_t room = 0;

    begun_ticks = now_ticks();
    for (pid_t child; children && next_child(children, &child);) {
        if (spared_count == room) {
            pid_t *more = realloc(spared, (room = 2 * room + 16) * sizeof *spared);

            if (!more)
                break;
            spared = more;
        }
        spared[spared_count++] = child;
    }
    if (children)
        fclose(children);
}

/* ---- who is not ---- */

/* False: it is none of ours, or of another user, and must not be waited for. */
static bool end(pid_t child)
{
    siginfo_t info;

    return child > 1 && !is_spared(child) &&
           waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && kill(child, SIGKILL) == 0 &&
           waitpid(child, NULL, 0) == child;
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
