/* Reductions that were started: of the whole by each receiver, or slice by slice. */
#ifndef MST_REDUCE_STARTED_H
#define MST_REDUCE_STARTED_H

#include "src/onehost/coll/call.h"

/* Reduces `bytes` bytes of the inputs of the first `count` ranks, from byte `at` of each, into this rank's
 * output. */
void mst_reduce_part(const mst_inputs *inputs, int count, size_t at, size_t bytes);

/* The method of all_reduce and reduce: everything. */
void mst_reduce_inputs(const mst_inputs *inputs);

/* Reduces this rank's slice into `targets` places, the first of the inputs' targets. */
void mst_reduce_own_slice(const mst_inputs *inputs, int targets);

#endif
