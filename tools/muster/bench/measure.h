/* The ranks of `muster bench`, which measure. */
#ifndef MUSTER_BENCH_MEASURE_H
#define MUSTER_BENCH_MEASURE_H

#include "muster/muster.h"

/* Runs in every rank; `arg` is the bench_options. */
int bench_rank(muster_group *world, void *arg);

#endif
