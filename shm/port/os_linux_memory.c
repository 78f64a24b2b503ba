/*
 * The part of the port contract of os.h that commits, releases and protects mapped memory, on Linux 5.10 and
 * later.
 *
 * Committing needs no descriptor of the memory: the program may have closed it and reused its number for a
 * file of its own.
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

size_t mst_os_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * Has the kernel atomically add 0 to a word of the page (FUTEX_WAKE_OP). If no memory is available the kernel
 * returns an error, where an access of ours would raise SIGBUS; concurrent writes of others are not lost.
 * Nobody waits on `nobody`.
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

/* For Linux before 5.14, and sandboxes that refuse MADV_POPULATE_WRITE. */
static int touch_pages(uintptr_t begin, uintptr_t end)
{
    int error = 0;

    for (uintptr_t at = begin; at < end && error == 0; at += mst_os_page_bytes())
        error = touch((uint32_t *)at);
    return error;
}

int mst_os_memory_commit(void *at, size_t bytes)
{
    uintptr_t begin = (uintptr_t)at / mst_os_page_bytes() * mst_os_page_bytes(), end = (uintptr_t)at + bytes;
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
    /* Whole pages only: the first and last page may be shared with a neighbouring block. */
    uintptr_t begin = ((uintptr_t)at + mst_os_page_bytes() - 1) / mst_os_page_bytes() * mst_os_page_bytes();
    uintptr_t end = ((uintptr_t)at + bytes) / mst_os_page_bytes() * mst_os_page_bytes();

    if (begin >= end || madvise((void *)begin, end - begin, MADV_REMOVE) == 0)
        return 0;
    if (errno != EINVAL || munlock((void *)begin, end - begin) < 0)
        return -errno;
    /* The range was locked (mlockall): unlock it, remove it, and lock it again on fault. */
    int error = madvise((void *)begin, end - begin, MADV_REMOVE) < 0 ? -errno : 0;
    mlock2((void *)begin, end - begin, MLOCK_ONFAULT);
    return error;
}

int mst_os_memory_protect(void *at, size_t bytes, bool writable)
{
    return mprotect(at, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ) < 0 ? -errno : 0;
}
