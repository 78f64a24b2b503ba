/*
 * The part of the port contract of os.h that commits mapped memory and frees it, on Linux 5.10 and later.
 *
 * Nothing here needs the descriptor of the memory: a program may have closed it, and its number may be a file
 * of its own by now.
 */
#define _GNU_SOURCE
#include "shm/port/os.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

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
