/* The output of `muster bench`, as a table or as JSON. */
#ifndef MUSTER_BENCH_PRINT_H
#define MUSTER_BENCH_PRINT_H

#include "tools/muster/bench/limits.h"
#include "tools/muster/bench/options.h"

/* One row of the table: what was measured. */
typedef struct bench_row {
    const bench_case *which;
    size_t bytes, count;
    double median_us, p99_us, mean_us;
    double algorithm_gbps, bus_gbps;
    long repetitions;
    long wrong; /* elements, on all ranks */
} bench_row;

extern const char *const bench_op_names[]; /* by muster_op, then NULL */

void bench_print_limits(const bench_options *options, const bench_limits *limits);
void bench_print_case(const bench_options *options, const bench_case *which); /* its heading */
void bench_print_row(const bench_options *options, const bench_row *row);
bool bench_print_end(const bench_options *options, long wrong); /* false: stdout could not take it all */

#endif
