/*
 * Slots, our part of staging in a round; views, which are addresses where a peer's bytes can be read; and
 * copying into slots and out of views.
 */
#ifndef MST_VIEW_H
#define MST_VIEW_H

#include "src/onehost/coll/call.h"

/* Our slot of the next round, and its capacity. For an in-line call, the payload of our arrival. */
unsigned char *mst_slot(const mst_call *call);
size_t mst_slot_bytes(const mst_call *call);

/*
 * Storing to a line that peers have read takes as long as fetching it back from their caches. So after a
 * round of a small call the lines in which a next one would stage as many bytes are prefetched, for writing:
 * up to MST_FEW_BYTES as soon as all have arrived, for the peers look at them again only after they have
 * finished; then up to MST_PREFETCH_BYTES_MAX at the end of the call, for they would delay our reads of what
 * the peers have staged.
 */
#define MST_FEW_BYTES 384
#define MST_PREFETCH_BYTES_MAX 512
void mst_call_prefetch(const mst_call *call, size_t staged);

/* The slot of `rank`, or our own, of the last round. */
const unsigned char *mst_peer_slot(const mst_call *call, int rank);
unsigned char *mst_own_slot(const mst_call *call);

/*
 * The view of a rank's input: where its bytes can be read after the round, in the arena (at byte `in_at` of
 * its `in`) or in its slot (at byte `slot_at`).
 */
const unsigned char *mst_view(const mst_call *call, int rank, size_t in_at, size_t slot_at);
unsigned char *mst_view_out(const mst_call *call, int rank, size_t out_at); /* only if it is in the arena */

/* Known after the first round, and identical on all ranks. */
bool mst_any_input_in_arena(const mst_call *call);
bool mst_all_inputs_in_arena(const mst_call *call);
bool mst_all_outputs_in_arena(const mst_call *call);

/* Copies into our slot at byte `at`, or into `out`; with non-temporal stores if that is faster for whoever
 * reads the bytes next. */
void mst_stage(const mst_call *call, size_t at, const void *from, size_t bytes);
void mst_deliver(const mst_call *call, size_t at, const void *from, size_t bytes);
bool mst_streams_out(const mst_call *call); /* whether mst_deliver uses non-temporal stores */

/* memcpy that allows NULL for 0 bytes, and source == destination. */
void mst_copy(void *to, const void *from, size_t bytes);
/* The same, with the threads that help in the call. */
void mst_copy_together(const mst_call *call, void *to, const void *from, size_t bytes);

#endif
