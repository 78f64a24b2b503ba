/*
 * Combining the group's `sources`, an address for each rank, in rank order: by a kernel, or by an operation
 * that the program made. Every reduction ends here, so that all give the same bits.
 */
#ifndef MST_COMBINE_H
#define MST_COMBINE_H

#include "src/onehost/coll/call.h"

#define MST_COMBINE_BYTES 4096 /* combined at a time into a block in our cache, for several targets */

/* Whether threads that help may do parts of so many bytes. A function of the program's is called by the
 * thread that is in the collective, and by no other. */
static inline bool mst_combine_shares(const mst_call *call, size_t bytes)
{
    return mst_team_shares(call->team, bytes) && (call->plan.reduce || !call->request->made->fn);
}

/* The addresses of a part, in the room of the thread that does it; a target may be nowhere (NULL). */
const void **mst_part_sources(const mst_call *call, mst_part part, const void *const *sources, int count);
mst_target *mst_part_targets(const mst_call *call, mst_part part, const mst_target *targets, int count);

/* Plans it, before the call is shown. */
void mst_combine_plan(mst_call *call);

/* `count` sources, from that of rank 0 on, into `to`, which may be one of them. */
void mst_combine(const mst_call *call, void *to, const void *const *sources, int count, size_t bytes);

/* The same by this thread, without those that help: in a part. */
void mst_combine_by_one(const mst_call *call, void *to, const void *const *sources, int count, size_t bytes);

/* All into the group's first `target_count` targets, through a block in the cache: each source is read once,
 * and a target may be written with non-temporal stores. Advances the pointers. */
void mst_combine_into_targets(const mst_call *call, int target_count, size_t bytes);

/* The same with other sources, of all ranks, and targets. */
void mst_combine_sources(const mst_call *call, const void **sources, mst_target *targets, int target_count,
                         size_t bytes);

/* All into `out`, from byte `at` on, which may be one of the sources. */
void mst_combine_out(const mst_call *call, size_t at, size_t bytes);

/* All of a group of one; not only for reductions: others copy. */
void mst_combine_alone(const mst_call *call, void *to, const void *from, size_t bytes);

/* By an operation that the program made, into `acc`, which contains the elements of the first source. */
void mst_combine_onto(const mst_call *call, void *acc, const void *const *sources, int count, size_t bytes);

#endif
