/*
 * The part of the port contract of os.h that checks whether a kept descriptor is still ours, on Linux 5.10
 * and later: by device and inode, and for a pidfd without an inode of its own by the process that it watches.
 */
#define _GNU_SOURCE
#include "shm/port/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define PIDFS_MAGIC 0x50494446

uint64_t mst_os_watch_identity(int watch)
{
    struct statfs fs;
    struct stat st;

    /* Before Linux 6.9 all pidfds share one inode, on another file system. */
    if (fstatfs(watch, &fs) < 0 || fs.f_type != PIDFS_MAGIC || fstat(watch, &st) < 0)
        return 0;
    return (uint64_t)st.st_ino;
}

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

    if (held.fd >= 0 && mst_os_watch_identity(fd) == 0) /* before Linux 6.9 all pidfds share one inode */
        held.pid = pid;
    return held;
}

/* Whether `fd` is a pidfd of `pid`; the kernel shows -1 once the process has been reaped. */
static bool watches(int fd, int32_t pid)
{
    char path[48], line[128];
    bool found = false;
    int shown;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "re");
    if (!file) /* without /proc this cannot be checked */
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

static bool is_same(const struct stat *st, const mst_os_held *held)
{
    return st->st_dev == held->device && st->st_ino == held->inode;
}

/* What it is comes first: opening something else, such as a device, could have effects. */
int mst_os_held_open(const mst_os_held *theirs, int32_t pid)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, theirs->fd);
    if (stat(path, &st) < 0)
        return -errno;
    if (!is_same(&st, theirs))
        return -ESTALE;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && is_same(&st, theirs))
        return fd;
    mst_os_close(fd);
    return -ESTALE;
}
