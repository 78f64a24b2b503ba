/* The reduction of all inputs, which all_reduce and reduce share: who gets the result is the only difference.
 */
#ifndef MST_REDUCE_PATTERN_H
#define MST_REDUCE_PATTERN_H

#include "src/onehost/coll/call.h"

/* For every rank that `receives`. */
muster_status mst_reduce_all(mst_call *call, bool receives);

/* Reduces the group's `sources` into `out` at byte `at`; by non-temporal stores where results go so. */
void mst_reduce_out(const mst_call *call, size_t at, size_t bytes);

#endif
