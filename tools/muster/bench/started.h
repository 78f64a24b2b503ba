/* The started forms of what `muster bench` measures. */
#ifndef MUSTER_BENCH_STARTED_H
#define MUSTER_BENCH_STARTED_H

#include "tools/muster/bench/call.h"

/* Of an operation; NULL: it has none. */
bench_start_fn bench_start_of(const bench_case *which);

/* The operation of a call: called, or started and then waited for. */
muster_status bench_run(const bench_call *call);

#endif
