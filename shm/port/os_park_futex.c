/*
 * Parking and death words by futex. The words are shared between processes and mappings, so futex operations
 * must never have the PRIVATE flag: with it, a wake in one process does not reach a sleeper in another.
 *
 * A death word is on the robust list of the thread that owns it. The kernel knows one list per thread, so
 * ours replaces the C library's: the thread that owns a death word must not lock robust mutexes.
 */
#define _GNU_SOURCE
#include "shm/port/os.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

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

/* struct futex_waitv of Linux 5.16, which older headers do not have. */
typedef struct waited_word {
    uint64_t seen, address;
    uint32_t flags, reserved;
} waited_word;

#define WORD_OF_32_BITS 2 /* FUTEX_32, shared between processes */

int mst_os_park_on_any(const mst_os_watched_word *words, size_t count, int64_t timeout_ns)
{
    int64_t until_ns = mst_os_now_ns() + timeout_ns; /* absolute, unlike FUTEX_WAIT */
    struct timespec until = { until_ns / MST_NS_PER_S, until_ns % MST_NS_PER_S };
    waited_word waited[MST_OS_WATCHED_MAX];

    for (size_t i = 0; i < count; i++)
        waited[i] = (waited_word){ words[i].seen, (uint64_t)(uintptr_t)words[i].word, WORD_OF_32_BITS, 0 };
    long rc = syscall(SYS_futex_waitv, waited, count, 0, timeout_ns ? &until : NULL, CLOCK_MONOTONIC);
    if (rc >= 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT)
        return 0;
    return errno == EPERM ? -ENOSYS : -errno; /* seccomp filters return EPERM for calls they do not know */
}

/* ---- death words ---- */

/* A robust list with one node. The kernel finds the word by its offset from the node, so the arena contains
 * only the word. */
typedef struct robust {
    struct robust_list_head head;
    struct robust_list node;
} robust;

static_assert(sizeof(robust) <= sizeof(mst_os_death_word), "os.h reserves enough");

int mst_os_death_word_raise(mst_os_death_word *death_word, _Atomic uint32_t *word)
{
    robust *list = (robust *)death_word;

    list->node.next = &list->head.list;
    list->head.list.next = &list->node;
    list->head.futex_offset = (long)((uintptr_t)word - (uintptr_t)&list->node);
    list->head.list_op_pending = NULL;
    if (syscall(SYS_set_robust_list, &list->head, sizeof list->head) < 0)
        return errno == EPERM ? -ENOSYS : -errno;
    uint32_t owner = (uint32_t)syscall(SYS_gettid) & FUTEX_TID_MASK;
    atomic_store_explicit(word, owner | FUTEX_WAITERS, memory_order_release); /* always wake a sleeper */
    return 0;
}

void mst_os_death_word_lower(mst_os_death_word *death_word, _Atomic uint32_t *word)
{
    robust *list = (robust *)death_word;

    atomic_store_explicit(word, 0, memory_order_release); /* without our id the kernel ignores it */
    list->head.list.next = &list->head.list;
}

bool mst_os_death_word_fell(uint32_t value)
{
    return (value & FUTEX_OWNER_DIED) != 0;
}
