/*
 * Rounds: the synchronisations of a call. In the first one each rank publishes its request, and all compare
 * them.
 */
#ifndef MST_ROUND_H
#define MST_ROUND_H

#include "src/onehost/coll/call.h"

/* Arrives and waits for all; the first round of a call also compares all requests. `staged`: max bytes staged
 * by any rank; identical on all, also on ranks that staged nothing, which MST_CHECKED builds check; advances
 * the ring. */
muster_status mst_round(mst_call *call, size_t staged);

/* The first round, unless it was the next one below, of a call in which no rank knows how many bytes the
 * others have staged: the caller advances staging, once it has learnt that. `staged`: by this rank. */
muster_status mst_round_varied(mst_call *call, size_t staged);

/* The first round of the first call of a group that needs staging: compares the requests, and each rank
 * claims its ring and tells where it is. NO_SPACE on all ranks, before anything has moved, if one cannot. */
muster_status mst_round_for_staging(mst_call *call);

/*
 * After a round of a call that shares its work: does those of `count` chunks that no other rank has taken.
 * The result of a chunk may overwrite that chunk of our own slot, which nobody else reads. Then each rank
 * waits for each chunk, and finds the result in the slot of the rank that did it.
 */
typedef void (*mst_chunk_fn)(const mst_call *call, const void *arg, int chunk);
muster_status mst_work_share(mst_call *call, int count, mst_chunk_fn work, const void *arg);
muster_status mst_work_await(mst_call *call, int chunk, int *by);

/* A round without data: arrives, waits and compares. */
muster_status mst_round_empty(mst_call *call);

/* The last round of a call that read inputs in the arena: after it nobody reads them any more. */
muster_status mst_round_if_arena(mst_call *call);

#endif
