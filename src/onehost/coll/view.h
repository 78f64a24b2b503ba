/*
 * Slots, our chunk of staging for a round, and views: where the bytes of a peer can be read. And copying into
 * the one and out of the other.
 */
#ifndef MST_VIEW_H
#define MST_VIEW_H

#include "src/onehost/coll/call.h"

/* Where this rank puts the bytes of the next round, and how many fit. Tiny ones lie beside the flag. */
unsigned char *mst_slot(const mst_call *call);
size_t mst_slot_bytes(const mst_call *call);

/* At the end of a small call: asks for the lines that the next one will write, were it like this one, since
 * the peers have read them. */
void mst_call_prefetch(const mst_call *call);

/* What `rank`, or we, put into its slot for the last round. */
const unsigned char *mst_peer_slot(const mst_call *call, int rank);
unsigned char *mst_own_slot(const mst_call *call);

/*
 * The view of a rank's input: where its bytes can be read after the round, whether they lie in the
 * arena (at byte `in_at` of its `in`) or travelled by its slot (at byte `slot_at`).
 */
const unsigned char *mst_view(const mst_call *call, int rank, size_t in_at, size_t slot_at);
unsigned char *mst_view_out(const mst_call *call, int rank, size_t out_at); /* only if it is in the arena */

/* Known after the first round, and the same on all ranks. */
bool mst_any_input_in_arena(const mst_call *call);
bool mst_all_inputs_in_arena(const mst_call *call);
bool mst_all_outputs_in_arena(const mst_call *call);

/* Copies into our slot at byte `at`, or into `out`: by non-temporal stores where that is faster for whoever
 * reads it next. */
void mst_stage(const mst_call *call, size_t at, const void *from, size_t bytes);
void mst_deliver(const mst_call *call, size_t at, const void *from, size_t bytes);
bool mst_streams_out(const mst_call *call); /* whether mst_deliver goes by non-temporal stores */

/* memcpy that allows NULL for nothing, and source == destination. */
void mst_copy(void *to, const void *from, size_t bytes);

#endif
