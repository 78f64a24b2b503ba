/* What several collectives share: who gets the result is the only difference between them. */
#ifndef MST_PATTERNS_H
#define MST_PATTERNS_H

#include "src/onehost/coll/round.h"
#include "src/onehost/coll/view.h"

/* reduce_pattern.c: the reduction of all inputs, for every rank that `receives`. */
muster_status mst_reduce_all(mst_call *call, bool receives);

/* reduce_pattern.c: reduces the group's `sources` into `out` at byte `at`; around the cache where results go
 * there.
 */
void mst_reduce_out(const mst_call *call, size_t at, size_t bytes);

/* collect.c: every rank's block in rank order, for every rank that `receives`. */
muster_status mst_collect_blocks(mst_call *call, bool receives);

/* deal.c: for the collectives in which a rank has a block for every other. How many bytes of each
 * block fit a slot, and the staging of those at `base` of every block but our own; rank r's are then
 * at r x bytes of the slot. Nothing is staged for an input that is read in the arena. */
size_t mst_deal_round_bytes(const mst_call *call);
void mst_deal_stage(const mst_call *call, size_t base, size_t bytes);

#endif
