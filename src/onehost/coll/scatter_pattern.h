/* Staging of a block for every other rank, which scatter, reduce_scatter and all_to_all share. */
#ifndef MST_SCATTER_PATTERN_H
#define MST_SCATTER_PATTERN_H

#include "src/onehost/coll/call.h"

/* For the collectives in which a rank has a block for every other. How many bytes of each
 * block fit a slot, and the staging of those at `base` of every block but our own; rank r's are then
 * at r x bytes of the slot. Nothing is staged for an input that is read in the arena. */
size_t mst_scatter_round_bytes(const mst_call *call);
void mst_scatter_stage(const mst_call *call, size_t base, size_t bytes);

#endif
