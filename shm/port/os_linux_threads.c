/*
 * The part of the port contract of os.h about the other threads of this process, on Linux: whether any of
 * them can go on. /proc/self/task says in which system call each one sleeps.
 *
 * A thread that waits for a private futex without a limit is woken by threads of its process only, or by a
 * signal that the program handles: sem_wait returns then, and the handler may post a semaphore. If all are
 * asleep so, and no such signal is handled, none can go on until the caller does something.
 * They are looked at one after the other, and one that was looked at early could wake another and fall
 * asleep: so all are looked at twice, and must not have run in between. Then there was a moment in which all
 * were asleep.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/port/os.h"
#include "shm/port/os_linux.h"

#define OPERATION_MASK 0x7fULL
#define WITHIN_PROCESS 0x80ULL   /* flag of an operation: only threads of its process wake it */
#define LIBRARY_PREFIX "muster-" /* of the names of the library's own threads */

/* Python handles SIGINT always; the others say that the process fails, or are libc's own. */
#define SIGNAL(number) (1ULL << ((number)-1))
#define HARMLESS                                                                                             \
    (SIGNAL(SIGINT) | SIGNAL(SIGILL) | SIGNAL(SIGTRAP) | SIGNAL(SIGABRT) | SIGNAL(SIGBUS) | SIGNAL(SIGFPE) | \
     SIGNAL(SIGSEGV) | SIGNAL(32) | SIGNAL(33))

typedef struct look {
    int others;      /* threads of the program's, without the caller */
    int own;         /* threads of the library's */
    uint64_t digest; /* of who they are, and how often each has slept */
} look;

static bool read_task_file(int tasks, const char *tid, const char *name, char *text, size_t bytes)
{
    char path[64];

    snprintf(path, sizeof path, "%s/%s", tid, name);
    return mst_os_read_at(tasks, path, text, bytes);
}

/* "202 0xADDRESS 0xOPERATION 0xVALUE 0xTIMEOUT ...", or "running". */
static bool sleeps_for_others_of_its_process(int tasks, const char *tid)
{
    char text[256], *next;

    if (!read_task_file(tasks, tid, "syscall", text, sizeof text))
        return false;
    if (strtol(text, &next, 10) != SYS_futex || next == text)
        return false;
    strtoull(next, &next, 16);
    unsigned long long operation = strtoull(next, &next, 16);
    strtoull(next, &next, 16);
    unsigned long long limit = strtoull(next, &next, 16);
    bool is_wait =
        (operation & OPERATION_MASK) == FUTEX_WAIT || (operation & OPERATION_MASK) == FUTEX_WAIT_BITSET;
    return is_wait && (operation & WITHIN_PROCESS) && limit == 0;
}

/* "SigCgt:\t0000000180000002": of the whole process. */
static bool handles_signals(const char *status)
{
    const char *caught = strstr(status, "\nSigCgt:");

    return !caught || (strtoull(caught + strlen("\nSigCgt:"), NULL, 16) & ~HARMLESS);
}

/* False: one of the program's can go on, or nothing is known of it. */
static bool look_at(int tasks, const char *tid, look *seen)
{
    char status[4096];

    if (!read_task_file(tasks, tid, "status", status, sizeof status))
        return false;
    if (strncmp(status, "Name:\t" LIBRARY_PREFIX, strlen("Name:\t" LIBRARY_PREFIX)) == 0) {
        seen->own++;
        return true;
    }
    const char *slept = strstr(status, "\nvoluntary_ctxt_switches:");
    if (!slept || handles_signals(status) || !sleeps_for_others_of_its_process(tasks, tid))
        return false;
    seen->others++;
    seen->digest = seen->digest * 1099511628211ULL ^ strtoull(tid, NULL, 10);
    seen->digest = seen->digest * 1099511628211ULL ^ strtoull(strchr(slept, ':') + 1, NULL, 10);
    return true;
}

static bool look_at_all(look *seen)
{
    DIR *folder = opendir("/proc/self/task");
    pid_t caller = gettid();
    bool asleep = folder != NULL;

    *seen = (look){ 0 };
    for (const struct dirent *entry; asleep && (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != caller)
            asleep = look_at(dirfd(folder), entry->d_name, seen);
    if (folder)
        closedir(folder);
    return asleep;
}

bool mst_os_threads_are_stuck(int own, uint64_t *digest)
{
    look first, second;

    if (!look_at_all(&first) || first.own != own || !look_at_all(&second) || second.own != own ||
        first.others != second.others || first.digest != second.digest)
        return false;
    *digest = second.digest | 1;
    return true;
}
