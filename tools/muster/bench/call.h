/* A call that `muster bench` measures, and what kind of call it is. */
#ifndef MUSTER_BENCH_CALL_H
#define MUSTER_BENCH_CALL_H

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

#endif
