/* Finds and ends strays, for strays.h. */
#define _POSIX_C_SOURCE 200809L /* waitid */
#include "tools/muster/run/strays.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 100

static pid_t *spared;
static size_t spared_count, spared_room;

/* The children of a thread of a process as the kernel lists them; NULL: it does not. */
static FILE *open_children(pid_t pid, long thread)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/task/%ld/children", (int)pid, thread);
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

static bool is_spared(pid_t child)
{
    for (size_t i = 0; i < spared_count; i++)
        if (spared[i] == child)
            return true;
    return false;
}

static void spare(pid_t pid)
{
    if (spared_count == spared_room) {
        pid_t *more = realloc(spared, (2 * spared_room + 16) * sizeof *spared);

        if (!more)
            return;
        spared = more;
        spared_room = 2 * spared_room + 16;
    }
    spared[spared_count++] = pid;
}

static void spare_children_of(pid_t pid)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    for (const struct dirent *thread; threads && (thread = readdir(threads));) {
        FILE *children = isdigit((unsigned char)thread->d_name[0])
                             ? open_children(pid, strtol(thread->d_name, NULL, 10))
                             : NULL;

        for (pid_t child; children && next_child(children, &child);)
            spare(child);
        if (children)
            fclose(children);
    }
    if (threads)
        closedir(threads);
}

void strays_begin(void)
{
    spare_children_of(getpid());
    for (size_t i = 0; i < spared_count; i++)
        spare_children_of(spared[i]);
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
        FILE *children = open_children(getpid(), (long)getpid());

        any = children && end_all(children);
        if (children)
            fclose(children);
    }
}
