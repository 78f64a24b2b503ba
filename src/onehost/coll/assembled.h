/*
 * Reductions, by an operation that the program made, of elements that rounds, slices and blocks would cut:
 * larger ones than numbers, or of a size that is no power of two (mst_plan.assembled).
 */
#ifndef MST_ASSEMBLED_H
#define MST_ASSEMBLED_H

#include "src/onehost/coll/call.h"

#define MST_ASSEMBLED_BYTES (1024 * 1024) /* of all ranks, at a time, if an element is not larger */

/* The whole of such a call: all_reduce, reduce, reduce_scatter or a scan. The result of this rank is of the
 * first `inputs` ranks; 0: it gets none. */
muster_status mst_reduce_assembled(mst_call *call, int inputs);

/* A rank has no memory for `bytes` bytes of elements, in a call that others wait for already: they must know.
 */
muster_status mst_assembled_no_memory(const mst_call *call, size_t bytes);

#endif
