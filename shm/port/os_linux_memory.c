/*
 * The part of the port contract of os.h that commits mapped memory and gives it back, and that knows whether
 * a kept descriptor is still ours, on Linux 5.10 and later.
 *
 * Nothing here needs the descriptor of the memory: a program may have closed it, and its number may be a file
 * of its own by now.
 */
#define _GNU_SOURCE
#include "shm/port/os.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* ---- memory ---- */

static uintptr_t page_bytes(void)
{
    return (uintptr_t)sysconf(_SC_PAGESIZE);
}

/*
 * Has the kernel add 0 to a word of the page: an access of its own that cannot be served is an error, where
 * one of ours would be SIGBUS; and what others write there meanwhile is not lost. Nobody waits on `nobody`.
 */
static int touch(uint32_t *word)
{
    const unsigned long add_nothing = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0);
    uint32_t nobody = 0;
    long woken;

    do
        woken = syscall(SYS_futex, &nobody, FUTEX_WAKE_OP, 0, 0L, word, add_nothing);
    while (woken < 0 && (errno == EINTR || errno == EAGAIN));
    return woken < 0 ? -errno : 0;
}

/* Before Linux 5.14, and where a sandbox refuses the advice. */
static int touch_pages(uintptr_t begin, uintptr_t end)
{
    int error = 0;

    for (uintptr_t at = begin; at < end && error == 0; at += page_bytes())
        error = touch((uint32_t *)at);
    return error;
}

int mst_os_memory_commit(void *at, size_t bytes)
{
    uintptr_t begin = (uintptr_t)at / page_bytes() * page_bytes(), end = (uintptr_t)at + bytes;
    int rc, error;

    do
        rc = madvise((void *)begin, end - begin, MADV_POPULATE_WRITE);
    while (rc < 0 && (errno == EINTR || errno == EAGAIN));
    error = rc < 0 ? -errno : 0;
    if (error == -EINVAL || error == -ENOSYS || error == -EPERM)
        error = touch_pages(begin, end);
    return error == -EFAULT || error == -ENOMEM ? -ENOSPC : error;
}

int mst_os_memory_release(void *at, size_t bytes)
{
    /* Whole pages only: others may be somebody else's at an edge. */
    uintptr_t begin = ((uintptr_t)at + page_bytes() - 1) / page_bytes() * page_bytes();
    uintptr_t end = ((uintptr_t)at + bytes) / page_bytes() * page_bytes();

    if (begin >= end || madvise((void *)begin, end - begin, MADV_REMOVE) == 0)
        return 0;
    if (errno != EINVAL || munlock((void *)begin, end - begin) < 0)
        return -errno;
    /* It was locked in memory (mlockall), and what is used there again is to be. */
    int error = madvise((void *)begin, end - begin, MADV_REMOVE) < 0 ? -errno : 0;
    mlock2((void *)begin, end - begin, MLOCK_ONFAULT);
    return error;
}

/* ---- kept descriptors ---- */

mst_os_held mst_os_hold(int fd)
{
    struct stat st = { 0 };

    if (fd < 0 || fstat(fd, &st) < 0)
        return (mst_os_held){ .fd = fd < 0 ? fd : -1 };
    return (mst_os_held){ .fd = fd, .device = st.st_dev, .inode = st.st_ino };
}

mst_os_held mst_os_hold_watch(int fd, int32_t pid)
{
    mst_os_held held = mst_os_hold(fd);

    if (held.fd >= 0 && mst_os_watch_identity(fd) == 0) /* before Linux 6.9 all are one inode */
        held.pid = pid;
    return held;
}

/* Whose end the watch tells of, as the system shows it: -1 once that has been reaped. */
static bool watches(int fd, int32_t pid)
{
    char path[48], line[128];
    bool found = false;
    int shown;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "re");
    if (!file) /* without /proc nobody can tell */
        return true;
    while (!found && fgets(line, sizeof line, file))
        found = sscanf(line, "Pid: %d", &shown) == 1 && (shown == pid || shown == -1);
    fclose(file);
    return found;
}

int mst_os_held_fd(const mst_os_held *held)
{
    struct stat st;

    if (held->fd < 0 || fstat(held->fd, &st) < 0 || st.st_dev != held->device || st.st_ino != held->inode ||
        (held->pid && !watches(held->fd, held->pid)))
        return -1;
    return held->fd;
}

bool mst_os_held_is_lost(const mst_os_held *held)
{
    return held->fd >= 0 && mst_os_held_fd(held) < 0;
}

void mst_os_held_close(mst_os_held *held)
{
    mst_os_close(mst_os_held_fd(held));
    held->fd = -1;
}
