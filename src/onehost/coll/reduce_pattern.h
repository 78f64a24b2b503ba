/* The reduction of all inputs, which all_reduce and reduce share; they differ only in who receives. */
#ifndef MST_REDUCE_PATTERN_H
#define MST_REDUCE_PATTERN_H

#include "src/onehost/coll/call.h"
#include "src/pure/partition.h"

/* `receives`: this rank gets the result. */
muster_status mst_reduce_all(mst_call *call, bool receives);

/* The slice of the reduction of `count` elements that `rank` does for all, in bytes. */
mst_slice mst_reduce_slice(const mst_call *call, size_t count, int rank);

/* Stages the round of `bytes` bytes at `base` of the input, except our own slice, which nobody else reads. */
void mst_stage_others_slices(const mst_call *call, size_t base, size_t bytes, mst_slice own);

#endif
