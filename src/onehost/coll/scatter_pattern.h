/* The scatter pattern: staging a part of a block for every other rank. scatter, reduce_scatter and all_to_all
 * share it. */
#ifndef MST_SCATTER_PATTERN_H
#define MST_SCATTER_PATTERN_H

#include "src/onehost/coll/call.h"

/* How many bytes of each block fit a slot together; and staging of `bytes` bytes at `base` of every block
 * except our own. Rank r's are then at r x bytes of the slot. Stages nothing if the input is read in the
 * arena. */
size_t mst_scatter_round_bytes(const mst_call *call);
void mst_scatter_stage(const mst_call *call, size_t base, size_t bytes);

#endif
