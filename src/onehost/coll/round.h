/*
 * Rounds: a call's synchronisations. The first one carries what each rank was asked to do, which all compare.
 */
#ifndef MST_ROUND_H
#define MST_ROUND_H

#include "src/onehost/coll/call.h"

/* The call's first wait comes next. */
void mst_call_begin(mst_call *call);

/* The announcement and arrival of a call in two halves, after which the first mst_round() only waits. */
void mst_call_arrive(mst_call *call);

/* Arrives, waits for all; the first one of a call also compares what all were asked to do. `staged`:
 * how many bytes of its slot the rank that used most has used, so that all know where the next one is;
 * the same on every rank, those that staged nothing included. */
muster_status mst_round(mst_call *call, size_t staged);

/*
 * After a round of a call that is pooled: does those of `count` pieces of work that nobody else has taken.
 * What one results in may be written over that piece of our own slot, which nobody else reads. Then each
 * rank waits for each piece, and finds it in the slot of the rank that did it.
 */
typedef void (*mst_piece_fn)(const mst_call *call, const void *arg, int piece);
muster_status mst_pool(mst_call *call, int count, mst_piece_fn work, const void *arg);
muster_status mst_pool_wait(mst_call *call, int piece, int *by);

/* The last round of a call that read inputs in the arena: nobody may still be reading when it returns. */
muster_status mst_round_if_arena(mst_call *call);

#endif
