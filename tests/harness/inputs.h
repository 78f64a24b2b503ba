/* What tests of reductions have in common: inputs that every rank knows, and a reduction on every path. */
#ifndef TEST_INPUTS_H
#define TEST_INPUTS_H

#include <stdint.h>

#include "muster/muster.h"

enum { INPUTS_MAX = 8 };

/* Of `n` ranks, each of `count` elements. Everybody knows everybody's input. */
void fill_inputs(unsigned char *inputs[INPUTS_MAX], int n, size_t count, muster_dtype dtype, uint64_t seed);
void free_inputs(unsigned char *inputs[INPUTS_MAX], int n);

/* In each rank: whether a reduction gives the same bits by private and arena buffers, in place, whole and in
 * parts, by reduce and by reduce_scatter. 1: no, and what differed has been said. */
int reduce_on_every_path(muster_group *world, size_t count, muster_dtype dtype, muster_op op);

#endif
