/*
 * Chaos: random delays at every edge, for testing whether a program, or muster itself, depends on the order
 * in which ranks act. A thread that is about to publish something or to wait for it may be delayed: not at
 * all, by some microseconds of work, by up to a millisecond of sleep, or now and then by 20 ms.
 *
 * The delays are drawn from a seed. The seed is process-wide state (docs/decisions/0019-injected-faults.md).
 */
#ifndef MST_CHAOS_H
#define MST_CHAOS_H

#include "shm/base/atomic.h"

extern _Atomic uint64_t mst_chaos_seed; /* 0: no chaos */

/* The same seed and number produce the same delays, edge by edge. The number distinguishes ranks. */
void mst_chaos_begin(uint64_t seed, uint32_t number);
void mst_chaos_delay(void);

static inline void mst_chaos(void)
{
    if (__builtin_expect(mst_load64_rlx(&mst_chaos_seed) != 0, false))
        mst_chaos_delay();
}

#endif
