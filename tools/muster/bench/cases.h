/*
 * What `muster bench` can measure: one row per operation, with how its buffers are shaped, how it is
 * called, and what its result should be. Sizes and bandwidths are counted as nccl-tests count them.
 */
#ifndef MUSTER_BENCH_CASES_H
#define MUSTER_BENCH_CASES_H

#include "tools/muster/bench/call.h"

const bench_case *bench_case_find(const char *name); /* NULL: no such case */
const bench_case *bench_case_at(int index);          /* NULL past the end */

/* Gives `in` the values that every rank knows of every other. */
void bench_fill(const bench_call *call);

/* How many elements of the result are not what they should be. */
size_t bench_count_wrong(const bench_call *call);

#endif
