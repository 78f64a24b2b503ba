/*
 * Rounds: a call's synchronisations. The first one carries what each rank was asked to do, which all compare.
 */
#ifndef MST_ROUND_H
#define MST_ROUND_H

#include "src/onehost/coll/call.h"

/* The call's first wait comes next. */
void mst_call_begin(mst_call *call);

/* The announcement and arrival of a call nonblocking, after which the first mst_round() only waits. */
void mst_call_arrive(mst_call *call);

/* Arrives, waits for all; the first one of a call also compares what all were asked to do. `staged`:
 * how many bytes of its slot the rank that used most has used, so that all know where the next one is;
 * the same on every rank, those that staged nothing included. */
muster_status mst_round(mst_call *call, size_t staged);

/*
 * After a round of a call that is shared: does those of `count` chunks of work that nobody else has taken.
 * What one results in may be written over that chunk of our own slot, which nobody else reads. Then each
 * rank waits for each chunk, and finds it in the slot of the rank that did it.
 */
typedef void (*mst_chunk_fn)(const mst_call *call, const void *arg, int chunk);
muster_status mst_work_share(mst_call *call, int count, mst_chunk_fn work, const void *arg);
muster_status mst_work_await(mst_call *call, int chunk, int *by);

/* The last round of a call that read inputs in the arena: nobody may still be reading when it returns. */
muster_status mst_round_if_arena(mst_call *call);

#endif
