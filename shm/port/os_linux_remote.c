/*
 * The part of the port contract of os.h that reads the memory of other processes, on Linux, by
 * process_vm_readv.
 *
 * A pid is only a number: by the time of the call it may be another process's. The kernel takes the address
 * space of the pid once per call, and copies the ranges in their order; so the token, the first range, was
 * read where the data was.
 */
#define _GNU_SOURCE
#include "shm/port/os.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PART_BYTES (64UL << 20) /* of one call: the kernel copies at most 2 GiB */

mst_os_remote mst_os_remote_offer(void)
{
    mst_os_remote own = { .pid = getpid() };
    void *page = mmap(NULL, sizeof own.token, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return own;
    if (madvise(page, sizeof own.token, MADV_WIPEONFORK) != 0) { /* a child would have the token, too */
        munmap(page, sizeof own.token);
        return own;
    }
    mst_os_random(own.token, sizeof own.token);
    own.token[0] |= 1; /* not the zeros of a child */
    memcpy(page, own.token, sizeof own.token);
    own.token_at = (uintptr_t)page;
    return own;
}

void mst_os_remote_withdraw(const mst_os_remote *own)
{
    if (own->token_at)
        munmap((void *)(uintptr_t)own->token_at, sizeof own->token);
}

static int read_part(const mst_os_remote *remote, void *to, uint64_t at, size_t bytes)
{
    uint64_t token[2];
    const struct iovec here[] = { { token, sizeof token }, { to, bytes } };
    const struct iovec there[] = { { (void *)(uintptr_t)remote->token_at, sizeof token },
                                   { (void *)(uintptr_t)at, bytes } };

    ssize_t done = process_vm_readv(remote->pid, here, 2, there, 2, 0);
    if (done < 0)
        return errno == EFAULT ? -ESRCH : -errno; /* no token there: another program */
    if (done < (ssize_t)sizeof token || memcmp(token, remote->token, sizeof token) != 0)
        return -ESRCH;
    return (size_t)done == sizeof token + bytes ? 0 : -EFAULT;
}

int mst_os_remote_read(const mst_os_remote *remote, void *to, uint64_t at, size_t bytes)
{
    int error = remote->token_at ? 0 : -ESRCH;
    size_t done = 0;

    while (!error) {
        size_t part = bytes - done < PART_BYTES ? bytes - done : PART_BYTES;

        error = read_part(remote, (char *)to + done, at + done, part);
        done += part;
        if (done == bytes)
            break;
    }
    return error;
}
