/*
 * What `muster bench` can measure: one row per operation, with how its buffers are shaped, how it is
 * called, and what its result should be. Sizes and bandwidths are counted as nccl-tests count them.
 */
#ifndef MUSTER_BENCH_CASES_H
#define MUSTER_BENCH_CASES_H

#include "muster/muster.h"

typedef struct bench_call {
    const struct bench_case *which;
    muster_group *group;
    void *in, *out;
    size_t count; /* as the function wants it: of the vector, or per rank */
    muster_dtype dtype;
    muster_op op;
} bench_call;

typedef struct bench_case {
    const char *name;
    muster_status (*run)(const bench_call *call);
    bool in_all, out_all; /* the buffer holds a block for every rank */
    bool reduces;
    bool rooted_out;                                  /* only rank 0 has a result */
    double (*bus_factor)(int ranks);                  /* busbw = algbw x this; NULL: no bytes move */
    int (*source)(int rank, int ranks, size_t block); /* whose element is expected, for what only moves */
} bench_case;

const bench_case *bench_case_find(const char *name); /* NULL: no such case */
const bench_case *bench_case_at(int index);          /* NULL past the end */

/* Gives `in` the values that every rank knows of every other. */
void bench_fill(const bench_call *call);

/* How many elements of the result are not what they should be. */
size_t bench_count_wrong(const bench_call *call);

#endif
