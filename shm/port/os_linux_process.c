/*
 * The part of the port contract of os.h about processes, on Linux 5.10 and later: identifying them, watching
 * them, and finding out how they end, by pidfds and /proc.
 */
#define _GNU_SOURCE
#include "shm/port/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/port/os_linux.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define CLOSED_MAX 65536
#define THREAD_STACK_BYTES 65536

/* ---- what /proc says ---- */

bool mst_os_read_at(int directory, const char *path, char *text, size_t bytes)
{
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, bytes - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* Opens /proc/PID/NAME relative to its directory: the emulator qemu-user intercepts a process's open of its
 * own path and answers with another start time than its peers read. */
static bool read_file(int32_t pid, const char *name, char *text, size_t bytes)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return false;
    bool found = mst_os_read_at(directory, name, text, bytes);
    close(directory);
    return found;
}

/* The fields of /proc/PID/stat after the command name, which may itself contain blanks and ')'. */
static bool read_stat(int32_t pid, char *text, size_t bytes, const char **fields)
{
    if (!read_file(pid, "stat", text, bytes))
        return false;
    const char *end = strrchr(text, ')');
    *fields = end ? end + 2 : NULL; /* field 3, the state */
    return end != NULL;
}

static bool stat_field(const char *fields, int number, uint64_t *value)
{
    for (int at = 3; at < number; at++) {
        fields = strchr(fields, ' ');
        if (!fields)
            return false;
        fields++;
    }
    *value = strtoull(fields, NULL, 10);
    return true;
}

uint64_t mst_os_process_start(int32_t pid)
{
    char text[1024];
    const char *fields;
    uint64_t start;

    return read_stat(pid, text, sizeof text, &fields) && stat_field(fields, 22, &start) ? start : 0;
}

uint64_t mst_os_process_image(int32_t pid)
{
    static const int numbers[] = { 26, 28, 45, 48 }; /* begin of code, stack, data and arguments */
    uint64_t image = 0, value;
    char text[1024];
    const char *fields;

    if (!read_stat(pid, text, sizeof text, &fields))
        return 0;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (stat_field(fields, numbers[i], &value))
            image = image * 31 + value;
    return image;
}

uint64_t mst_os_process_namespace(void)
{
    struct stat st;

    return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* Reads a line of /proc/PID/status, such as "SigPnd:\t0000000000000100", as a number in base `base`. */
static bool status_line(const char *status, const char *name, int base, uint64_t *value)
{
    const char *line = strstr(status, name);

    if (!line)
        return false;
    *value = strtoull(line + strlen(name), NULL, base);
    return true;
}

/* ---- watches ---- */

int mst_os_process_watch(int32_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    return fd < 0 ? -errno : fd;
}

bool mst_os_process_is_there(int32_t pid)
{
    return getpgid(pid) >= 0 || errno != ESRCH;
}

void mst_os_process_poll(mst_os_held *watches, size_t count, bool *fired)
{
    enum { BATCH = 64 };
    struct pollfd polled[BATCH];

    for (size_t base = 0; base < count; base += BATCH) {
        size_t n = count - base < BATCH ? count - base : BATCH;

        for (size_t i = 0; i < n; i++)
            polled[i] = (struct pollfd){ .fd = watches[base + i].fd, .events = POLLIN };
        int ready = poll(polled, n, 0);
        for (size_t i = 0; i < n; i++) {
            /* Checked after the poll: a number that is ours now was ours when it was polled, since a lost one
             * never becomes ours again. */
            bool lost = mst_os_held_is_lost(&watches[base + i]);

            fired[base + i] = ready > 0 && !lost && (polled[i].revents & POLLIN) != 0;
            if (lost)
                watches[base + i].fd = -1;
        }
    }
}

/* struct pidfd_info of Linux 6.13, which Debian 12's headers lack. */
struct pidfd_info {
    uint64_t mask, cgroup_id;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};
#define PIDFD_INFO_EXIT (1ULL << 3)
#define PIDFD_GET_INFO _IOWR(0xFF, 11, struct pidfd_info)

static mst_os_termination decode_wait_status(int status, int *code)
{
    if (WIFSIGNALED(status)) {
        *code = WTERMSIG(status);
        return MST_OS_SIGNALED;
    }
    *code = WEXITSTATUS(status);
    return MST_OS_EXITED;
}

/* Of a process, as /proc shows them. */
#define FLAG_EXITING 0x4    /* PF_EXITING */
#define FLAG_SIGNALED 0x400 /* PF_SIGNALED: a signal ends it */

/* Whether a process that still has threads is about to end, and how. */
static mst_os_termination look_at_living(int32_t pid, uint64_t flags, int *code)
{
    char status[4096];
    uint64_t value;

    if (!read_file(pid, "status", status, sizeof status))
        return MST_OS_UNKNOWN;
    if (status_line(status, "\nCoreDumping:", 10, &value) && value == 1)
        return MST_OS_DUMPING;
    *code = -1;
    if (flags & FLAG_SIGNALED) /* no longer pending */
        return MST_OS_ENDING;
    if (status_line(status, "\nSigPnd:", 16, &value) && (value & 1ULL << (SIGKILL - 1)))
        return MST_OS_ENDING;
    return MST_OS_RUNNING;
}

/* Whether the kernel shows us the exit status. It shows 0 to other users. If the process is not dumpable its
 * /proc files belong to root, and only root sees the status. */
static bool may_see(int32_t pid)
{
    char path[32];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return geteuid() == 0 || (stat(path, &st) == 0 && st.st_uid == geteuid());
}

/* The kernel shows the status as soon as the process begins to exit, long before its memory is freed. A
 * status of 0 is trusted only for a zombie: during an exec by another thread the process looks the same for a
 * moment. */
static mst_os_termination look_at_stat(int32_t pid, const char *fields, int *code)
{
    uint64_t status, flags = 0;
    bool zombie = *fields == 'Z' || *fields == 'X';

    if (!zombie && !(stat_field(fields, 9, &flags) && (flags & FLAG_EXITING)))
        return look_at_living(pid, flags, code);
    if (!stat_field(fields, 52, &status) || (status == 0 && !may_see(pid)))
        return MST_OS_UNKNOWN;
    *code = 0;
    if (!zombie && status == 0)
        return MST_OS_ENDING;
    return decode_wait_status((int)status, code);
}

/* The status of a reaped process, where the kernel (6.15 or later) keeps it. */
static bool ask_watch(int watch, int *status)
{
    struct pidfd_info info = { .mask = PIDFD_INFO_EXIT };

    if (watch < 0 || ioctl(watch, PIDFD_GET_INFO, &info) != 0 || !(info.mask & PIDFD_INFO_EXIT))
        return false;
    *status = info.exit_code;
    return true;
}

mst_os_termination mst_os_process_termination(int32_t pid, uint64_t start, int watch, int *code)
{
    char text[1024];
    const char *fields;
    mst_os_termination termination = MST_OS_UNKNOWN;
    uint64_t found;
    int status;

    if (read_stat(pid, text, sizeof text, &fields) && stat_field(fields, 22, &found) &&
        (!start || found == start))
        termination = look_at_stat(pid, fields, code);
    if (termination == MST_OS_UNKNOWN && ask_watch(watch, &status)) /* also if it was reaped in between */
        termination = decode_wait_status(status, code);
    return termination;
}

int mst_os_die_with_parent(int32_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH; /* it may have ended before the prctl */
}

/* ---- a process that the program cannot notice ---- */

int32_t mst_os_fork_unseen(void)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    long pid = syscall(SYS_clone, 0UL, 0UL, 0UL, 0UL, 0UL); /* no exit signal: wait() does not see it */
    int32_t result = pid < 0 ? -errno : (int32_t)pid;
    if (pid != 0)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

void mst_os_end_unseen(int32_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        continue;
}

static bool is_kept(int fd, const int *kept, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (kept[i] == fd)
            return true;
    return false;
}

void mst_os_close_others(const int *kept, size_t count)
{
    int highest = 2;

    for (size_t i = 0; i < count; i++)
        if (kept[i] > highest)
            highest = kept[i];
    for (int fd = 0; fd <= highest; fd++)
        if (!is_kept(fd, kept, count))
            close(fd);
    if (syscall(SYS_close_range, (unsigned)highest + 1, ~0U, 0U) == 0)
        return;
    long limit = sysconf(_SC_OPEN_MAX); /* Linux before 5.9 */
    for (int fd = highest + 1; fd < limit && fd < CLOSED_MAX; fd++)
        close(fd);
}

/* ---- our own thread ---- */

int mst_os_thread_start(pthread_t *thread, bool calls_program, void *(*run)(void *arg), void *arg)
{
    size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    sigset_t all, before;
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    if (!calls_program)
        pthread_attr_setstacksize(&attr, least > THREAD_STACK_BYTES ? least : THREAD_STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, &attr, run, arg);
    if (error == EINVAL) /* large thread-local data needs a larger stack */
        error = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return -error;
}

void mst_os_thread_name(const char *name)
{
    prctl(PR_SET_NAME, name);
}

bool mst_os_thread_is_last(int own)
{
    char text[1024];
    const char *fields;
    uint64_t count;

    return read_stat(getpid(), text, sizeof text, &fields) && *fields == 'Z' &&
           stat_field(fields, 20, &count) &&
           (int)count <= own + 1; /* the main thread counts until the process ends */
}

static void *end_after(void *last)
{
    pthread_join(*(pthread_t *)last, NULL);
    return NULL;
}

void mst_os_thread_end_after(pthread_t *last)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, end_after, last) == 0)
        pthread_detach(thread);
}

int mst_os_thread_count(void)
{
    char text[1024];
    const char *fields;
    uint64_t count;

    return read_stat(getpid(), text, sizeof text, &fields) && stat_field(fields, 20, &count) ? (int)count : 0;
}
