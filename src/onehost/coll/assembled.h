/*
 * Reductions, by an operation that the program made, of elements that rounds, slices and blocks would cut:
 * larger ones than numbers, or of a size that is no power of two (mst_plan.assembled).
 */
#ifndef MST_ASSEMBLED_H
#define MST_ASSEMBLED_H

#include "src/onehost/coll/call.h"

/* The whole of such a call: all_reduce, reduce, reduce_scatter or a scan. The result of this rank is of the
 * first `inputs` ranks; 0: it gets none. */
muster_status mst_reduce_assembled(mst_call *call, int inputs);

#endif
