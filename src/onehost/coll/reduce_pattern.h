/* The reduction of all inputs, which all_reduce and reduce share; they differ only in who receives. */
#ifndef MST_REDUCE_PATTERN_H
#define MST_REDUCE_PATTERN_H

#include "src/onehost/coll/call.h"

/* `receives`: this rank gets the result. */
muster_status mst_reduce_all(mst_call *call, bool receives);

/* Reduces the group's `sources` into `out` at byte `at`, with non-temporal stores if results use them. */
void mst_reduce_out(const mst_call *call, size_t at, size_t bytes);

#endif
