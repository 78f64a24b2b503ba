/* A call that `muster bench` measures, and what kind of call it is. */
#ifndef MUSTER_BENCH_CALL_H
#define MUSTER_BENCH_CALL_H

#include "muster/muster.h"

#define BENCH_EACH (-1) /* a block for every rank */

struct bench_call;
typedef muster_status (*bench_start_fn)(const struct bench_call *call, muster_request *request);

typedef struct bench_call {
    const struct bench_case *which;
    bench_start_fn start; /* it is started, and waited for; NULL: it is called */
    muster_group *group;
    void *in, *out;
    size_t written_bytes; /* of `in`, before each operation; 0: it stays as it is */
    size_t count;         /* as the function wants it: of the vector, or per rank */
    muster_dtype dtype;
    muster_op op;
} bench_call;

typedef struct bench_case {
    const char *name;
    muster_status (*run)(const bench_call *call);
    bool in_all;    /* the buffer holds a block for every rank */
    int out_blocks; /* how many blocks the buffer holds, or BENCH_EACH */
    bool reduces;
    bool rooted_out;                                  /* only rank 0 has a result */
    double (*bus_factor)(int ranks);                  /* busbw = algbw x this; NULL: no bytes move */
    int (*source)(int rank, int ranks, size_t block); /* whose element is expected, for what only moves */
} bench_case;

static inline size_t bench_out_blocks(const bench_case *which, int ranks)
{
    return (size_t)(which->out_blocks == BENCH_EACH ? ranks : which->out_blocks);
}

/* A count for each rank: all the same, as for the fixed forms, so that the two can be compared. */
const size_t *bench_counts(const bench_call *call);

#endif
