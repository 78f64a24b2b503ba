/* What `muster bench` is asked to measure. */
#ifndef MUSTER_BENCH_OPTIONS_H
#define MUSTER_BENCH_OPTIONS_H

#include "tools/muster/bench/cases.h"

#define BENCH_CASES_MAX 32

typedef struct bench_options {
    const bench_case *cases[BENCH_CASES_MAX];
    int case_count;
    int ranks;
    size_t bytes_min, bytes_max, factor;
    muster_dtype dtype;
    muster_op op;
    bool arena;    /* buffers from muster_alloc */
    bool in_place; /* where the operation has an in-place form */
    bool started;  /* collectives are started, and waited for */
    int threads;   /* of each rank, in one collective */
    bool json;
    int neighbours;  /* other busy processes on each CPU */
    bool no_limits;  /* do not measure the machine first */
    double seconds;  /* of measuring per row */
    bool check_only; /* a few repetitions, for tests: results count, times do not */
} bench_options;

#endif
