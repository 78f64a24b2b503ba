/*
 * Large pages for the arena, as huge.h says, on Linux 5.10 and later.
 *
 * A memfd has large pages only where the whole system gives them to shared memory (shmem_enabled), which few
 * do. A file system of one's own has them by its option. Mounting one needs CAP_SYS_ADMIN in some user
 * namespace, which everybody may make for himself, unless a sandbox or the distribution forbids it.
 */
#define _GNU_SOURCE
#include "shm/port/huge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/port/cgroup.h"
#include "shm/port/os.h"

#define SPARE_BYTES (256ULL << 20)
#define RANK_BYTES (16ULL << 20)
#define HELPER_NS 2000000000LL /* a child that does not answer: a system call that hangs */

/* As /proc shows a memfd, by which muster ps and others know an arena. */
#define LABEL "memfd:muster"

enum { CLOEXEC = 1, SET_FLAG_STRING = 1, CREATE = 6 }; /* of fsopen, fsmount and fsconfig */

/* What could not be done, by the numbers that the child sends. */
static const char *const steps[] = { "opening a file system (fsopen)", "its option huge=always (fsconfig)",
                                     "mounting it (fsmount)",          "making a file there",
                                     "a user namespace (unshare)",     "the user's number in it (uid_map)",
                                     "a helper that answers (fork)" };
enum { STEP_OPEN, STEP_OPTION, STEP_MOUNT, STEP_FILE, STEP_NAMESPACE, STEP_MAP, STEP_HELPER };

/* ---- what needs the privilege ---- */

static int make_file(int mount)
{
    int fd = openat(mount, LABEL, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    unlinkat(mount, LABEL, 0);
    return fd;
}

static int mount_nowhere(int context, int *step)
{
    *step = STEP_OPTION;
    if (syscall(SYS_fsconfig, context, SET_FLAG_STRING, "huge", "always", 0) < 0 ||
        syscall(SYS_fsconfig, context, SET_FLAG_STRING, "size", "0", 0) < 0 ||
        syscall(SYS_fsconfig, context, CREATE, NULL, NULL, 0) < 0)
        return -errno;
    *step = STEP_MOUNT;
    int mount = (int)syscall(SYS_fsmount, context, CLOEXEC, 0);
    return mount < 0 ? -errno : mount;
}

static int create(int *step)
{
    *step = STEP_OPEN;
    int context = (int)syscall(SYS_fsopen, "tmpfs", CLOEXEC);
    if (context < 0)
        return -errno;
    int mount = mount_nowhere(context, step);
    close(context);
    if (mount < 0)
        return mount;
    *step = STEP_FILE;
    int fd = make_file(mount);
    close(mount); /* which unmounts it: only the file keeps it */
    return fd;
}

/* ---- the child ---- */

typedef struct answer {
    int error; /* 0: the descriptor is with it */
    int step;
    int helped; /* it needed a namespace of its own */
} answer;

typedef struct number_maps {
    char uid[48], gid[48];
} number_maps;

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t bytes = (ssize_t)strlen(text), put = fd < 0 ? -1 : write(fd, text, (size_t)bytes);
    int error = put == bytes ? 0 : -errno;

    if (fd >= 0)
        close(fd);
    return error;
}

/* A user namespace in which this user has its own number, and so its files have it, too. */
static int enter_namespace(const number_maps *maps, int *step)
{
    *step = STEP_NAMESPACE;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return -errno;
    *step = STEP_MAP;
    write_file("/proc/self/setgroups", "deny"); /* before Linux 3.19 there is none */
    int error = write_file("/proc/self/uid_map", maps->uid);
    return error ? error : write_file("/proc/self/gid_map", maps->gid);
}

static void send_answer(int to, const answer *answer, int fd)
{
    struct iovec part = { .iov_base = (void *)(uintptr_t)answer, .iov_len = sizeof *answer };
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .bytes = "" };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.head = (struct cmsghdr){ CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    sendmsg(to, &message, MSG_NOSIGNAL);
}

/* Only calls that are safe in the child of a process with threads. A sandbox may kill who makes them. */
static void help(int to, const number_maps *maps)
{
    /* Killed, it leaves no core file, which would be one of the launcher. 1 is none also where a program
     * takes them, which gets one for 0. */
    const struct rlimit none = { 1, 1 };
    answer answer = { .error = 0 };

    setrlimit(RLIMIT_CORE, &none);
    int fd = create(&answer.step);
    if (fd == -EPERM) {
        answer.helped = 1;
        fd = enter_namespace(maps, &answer.step);
        if (fd == 0)
            fd = create(&answer.step);
    }
    answer.error = fd < 0 ? fd : 0;
    send_answer(to, &answer, fd);
    _exit(0);
}

/* ---- the process that asks ---- */

/* Until something comes, or the child has died, or for so long that it hangs. Signals of the program do not
 * prolong it. */
static bool wait_for_answer(int from)
{
    int64_t left_ns, end_ns = mst_os_now_ns() + HELPER_NS;
    struct pollfd event = { .fd = from, .events = POLLIN };

    while ((left_ns = end_ns - mst_os_now_ns()) > 0 && poll(&event, 1, (int)(left_ns / 1000000 + 1)) < 0 &&
           errno == EINTR)
        continue;
    return event.revents & POLLIN;
}

static int receive_answer(int from, int *step, int *helped)
{
    answer answer = { .error = 0 };
    struct iovec part = { .iov_base = &answer, .iov_len = sizeof answer };
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t got = -1;
    int fd = -1;

    if (wait_for_answer(from))
        got = recvmsg(from, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got != (ssize_t)sizeof answer)
        answer.error = -ECHILD, answer.step = STEP_HELPER;
    *step = answer.step;
    *helped = answer.helped;
    if (got == (ssize_t)sizeof answer && message.msg_controllen >= CMSG_LEN(sizeof fd) &&
        control.head.cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(&control.head), sizeof fd);
    return answer.error ? answer.error : fd >= 0 ? fd : -EBADMSG;
}

static int ask_helper(int *step, int *helped)
{
    number_maps maps;
    int ends[2];

    *step = STEP_HELPER;
    *helped = 0;
    snprintf(maps.uid, sizeof maps.uid, "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
    snprintf(maps.gid, sizeof maps.gid, "%u %u 1", (unsigned)getegid(), (unsigned)getegid());
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    int32_t child = mst_os_fork_unseen();
    if (child == 0)
        help(ends[1], &maps);
    close(ends[1]);
    int fd = child < 0 ? child : receive_answer(ends[0], step, helped);
    close(ends[0]);
    if (child > 0)
        mst_os_end_unseen(child);
    return fd;
}

bool mst_huge_pages_fit(int ranks)
{
    uint64_t needed = SPARE_BYTES + (uint64_t)ranks * RANK_BYTES;
    uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    mst_cgroup_memory group;

    mst_cgroup_memory_get("", needed, &group);
    return group.left_bytes >= needed && all / 4 >= needed;
}

int mst_os_object_create_huge(const char **why, int *helped)
{
    int step, fd = ask_helper(&step, helped);

    *why = fd < 0 ? steps[step] : NULL;
    return fd;
}
