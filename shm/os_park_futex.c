/*
 * Parking by futex. The words are shared between processes and mappings, so the PRIVATE flag must
 * never appear here: with it, a wake in one process does not reach a sleeper in another.
 */
#define _GNU_SOURCE
#include "shm/os.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void mst_os_park(const _Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
    struct timespec timeout = { timeout_ns / MST_NS_PER_S, timeout_ns % MST_NS_PER_S };

    /* EAGAIN, EINTR and ETIMEDOUT are all early returns that the contract allows. */
    syscall(SYS_futex, word, FUTEX_WAIT, seen, &timeout, NULL, 0);
}

void mst_os_unpark_all(const _Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

const char *mst_os_park_name(void)
{
    return "futex";
}
