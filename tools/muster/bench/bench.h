/* What the parts of `muster bench` share: the options, and what was measured. */
#ifndef MUSTER_BENCH_H
#define MUSTER_BENCH_H

#include <stdio.h>

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
    bool json;
    int neighbours;  /* other busy processes on each CPU */
    bool no_limits;  /* do not measure the machine first */
    double seconds;  /* of measuring per row */
    bool check_only; /* a few repetitions, for tests: results count, times do not */
} bench_options;

extern const char *const bench_op_names[]; /* by muster_op, then NULL */

typedef struct bench_row {
    const bench_case *which;
    size_t bytes, count;
    double median_us, p99_us, mean_us;
    double algorithm_gbps, bus_gbps;
    long repetitions;
    long wrong; /* elements, on all ranks */
} bench_row;

/* What this machine can do at best, between two processes; NaN: could not be measured. */
typedef struct bench_limits {
    double ping_ns;      /* a cache line to another CPU, one way */
    double wake_us;      /* a sleeping process woken through a futex, one way */
    double read_gbps[2]; /* by one process, by two */
    double write_gbps[2];
    double copy_gbps[2];    /* bytes read and written */
    double cache_copy_gbps; /* the same within 256 KiB, by one */
} bench_limits;

bench_limits bench_measure_limits(void);

void bench_print_limits(const bench_options *options, const bench_limits *limits);
void bench_print_case(const bench_options *options, const bench_case *which); /* its heading */
void bench_print_row(const bench_options *options, const bench_row *row);
bool bench_print_end(const bench_options *options, long wrong); /* false: stdout could not take it all */

/* Runs in every rank; `arg` is the bench_options. */
int bench_rank(muster_group *world, void *arg);

#endif
