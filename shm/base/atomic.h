/*
 * Atomic access with the memory order in the name: _rlx relaxed, _acq acquire, _rel release, _sc sequentially
 * consistent. Every synchronising call names its edge (E1, E2, ...), and docs/MEMORY_MODEL.md pairs the two
 * ends.
 *
 * There are no fences, because ThreadSanitizer does not see them. Where a store and a later load must not be
 * reordered (a waker looks for sleepers, a sleeper looks again), read-modify-writes order them;
 * docs/MEMORY_MODEL.md explains how.
 */
#ifndef MST_ATOMIC_H
#define MST_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_CACHE_LINE_BYTES 64 /* of most CPUs */

static inline uint32_t mst_load32_rlx(const _Atomic uint32_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static inline uint32_t mst_load32_acq(const _Atomic uint32_t *at)
{
    return atomic_load_explicit(at, memory_order_acquire);
}

static inline uint32_t mst_load32_sc(const _Atomic uint32_t *at)
{
    return atomic_load_explicit(at, memory_order_seq_cst);
}

static inline void mst_store32_rlx(_Atomic uint32_t *at, uint32_t value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

static inline void mst_store32_rel(_Atomic uint32_t *at, uint32_t value)
{
    atomic_store_explicit(at, value, memory_order_release);
}

static inline uint32_t mst_add32_sc(_Atomic uint32_t *at, uint32_t value)
{
    return atomic_fetch_add_explicit(at, value, memory_order_seq_cst);
}

static inline uint32_t mst_exchange32_sc(_Atomic uint32_t *at, uint32_t value)
{
    return atomic_exchange_explicit(at, value, memory_order_seq_cst);
}

static inline uint32_t mst_or32_sc(_Atomic uint32_t *at, uint32_t bits)
{
    return atomic_fetch_or_explicit(at, bits, memory_order_seq_cst);
}

/* Stores `value` if the content is `expected`. Returns the old content: `expected` if the value was
 * stored. */
static inline uint32_t mst_cmpxchg32_sc(_Atomic uint32_t *at, uint32_t expected, uint32_t value)
{
    atomic_compare_exchange_strong_explicit(at, &expected, value, memory_order_seq_cst, memory_order_seq_cst);
    return expected;
}

static inline uint64_t mst_load64_rlx(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static inline uint64_t mst_load64_acq(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_acquire);
}

static inline uint64_t mst_load64_sc(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_seq_cst);
}

/* A load behind reads of other memory, which are over when it is made: an acquire load orders only what
 * follows it. A read-modify-write orders both, also for ThreadSanitizer, but fetches the line from whoever
 * did the last one. On x86 loads are in order, and compilers move none behind a seq_cst one. */
static inline uint64_t mst_load64_behind(_Atomic uint64_t *at)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
    return atomic_load_explicit(at, memory_order_seq_cst);
#else
    return atomic_fetch_add_explicit(at, 0, memory_order_acq_rel);
#endif
}

static inline uint64_t mst_add64_rlx(_Atomic uint64_t *at, uint64_t value)
{
    return atomic_fetch_add_explicit(at, value, memory_order_relaxed);
}

static inline uint64_t mst_add64_sc(_Atomic uint64_t *at, uint64_t value)
{
    return atomic_fetch_add_explicit(at, value, memory_order_seq_cst);
}

static inline void mst_store64_rlx(_Atomic uint64_t *at, uint64_t value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

static inline void mst_store64_rel(_Atomic uint64_t *at, uint64_t value)
{
    atomic_store_explicit(at, value, memory_order_release);
}

static inline uint64_t mst_exchange64_sc(_Atomic uint64_t *at, uint64_t value)
{
    return atomic_exchange_explicit(at, value, memory_order_seq_cst);
}

static inline void mst_or64_sc(_Atomic uint64_t *at, uint64_t bits)
{
    atomic_fetch_or_explicit(at, bits, memory_order_seq_cst);
}

static inline void mst_and64_sc(_Atomic uint64_t *at, uint64_t bits)
{
    atomic_fetch_and_explicit(at, bits, memory_order_seq_cst);
}

/* The same for 64 bits. */
static inline uint64_t mst_cmpxchg64_sc(_Atomic uint64_t *at, uint64_t expected, uint64_t value)
{
    atomic_compare_exchange_strong_explicit(at, &expected, value, memory_order_seq_cst, memory_order_seq_cst);
    return expected;
}

/* Prefetches a line for reading. Prefetches are hints: they order nothing and change nothing. gcc may leave
 * out the call of a function that does nothing but __builtin_prefetch, as one without effects: on other CPUs
 * than x86-64 nobody has looked whether it does. */
static inline void mst_prefetch_for_load(const void *at)
{
#if defined(__x86_64__)
    __asm__ __volatile__("prefetcht0 %0" : : "m"(*(const char *)at));
#else
    __builtin_prefetch(at);
#endif
}

/* Prefetches the lines of `bytes` bytes for writing: a store to a line that peers have read waits for their
 * caches. */
static inline void mst_prefetch_for_store(void *at, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += MST_CACHE_LINE_BYTES) {
        char *line = (char *)at + done;
#if defined(__x86_64__)
        __asm__ __volatile__("prefetchw %0" : : "m"(*line)); /* a no-op on CPUs that do not know it */
#else
        __builtin_prefetch(line, 1);
#endif
    }
}

#endif
