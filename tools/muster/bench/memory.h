/* Operations of `muster bench` on a share or a queue, which the first call of each size creates. */
#ifndef MUSTER_BENCH_MEMORY_H
#define MUSTER_BENCH_MEMORY_H

#include "tools/muster/bench/call.h"

/* Ranks 0 and 1 put a block to each other and wait for the other's signal; the others look on. */
muster_status bench_put_signal(const bench_call *call);

/* Rank 0 pushes, all others pop. */
muster_status bench_queue(const bench_call *call);

#endif
