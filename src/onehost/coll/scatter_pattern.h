/* The scatter pattern: staging a part of a block for every other rank. scatter, reduce_scatter and all_to_all
 * share it. */
#ifndef MST_SCATTER_PATTERN_H
#define MST_SCATTER_PATTERN_H

#include "src/onehost/coll/call.h"

/* Parts of a slot, as many as there are other ranks, and how many bytes of each block fit one. */
size_t mst_scatter_parts(const mst_call *call);
size_t mst_scatter_round_bytes(const mst_call *call);

/* Which part of a rank's slot is for another one. It begins with the next rank's, so that no two ranks read
 * the same part of their peers' slots at the same time. */
size_t mst_scatter_part(const mst_call *call, int from, int to);

/* Stages `bytes` bytes at `base` of every block except our own; nothing if the input is read in the arena. */
void mst_scatter_stage(const mst_call *call, size_t base, size_t bytes);

#endif
