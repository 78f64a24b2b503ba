/*
 * broadcast: every rank gets the root's input.
 *
 * The root stages a part, all do one round, and every rank copies the part. A part is a quarter of the input,
 * more of a short one, or less if that does not fit a slot, so that the root stages one part while the others
 * copy the previous one. If the root's input is in the arena it is read there, in one round, with one more
 * round at the end. Cost for N bytes: one synchronisation per round, 2 N bytes of traffic per rank.
 */
#include "src/onehost/coll/one_copy.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/view.h"

static muster_status broadcast(mst_call *call)
{
    size_t all = call->request->count * call->request->element_bytes;
    size_t round = mst_call_round_bytes(call, all, mst_slot_bytes(call));
    bool is_root = call->group->base.rank == call->request->root;
    size_t base = 0;

    do {
        size_t bytes = all - base < round ? all - base : round;

        if (is_root && !call->in_offset)
            mst_stage(call, 0, (const unsigned char *)call->request->in + base, bytes);
        muster_status status = mst_round(call, bytes);
        if (status != MUSTER_OK)
            return status;
        if (mst_all_inputs_in_arena(call))
            bytes = all;
        /* The root copies part by part, too: the part is still in its cache, and the others copy at the same
         * time. */
        mst_deliver(call, base,
                    is_root ? (const unsigned char *)call->request->in + base
                            : mst_view(call, call->request->root, base, 0),
                    bytes);
        base += bytes;
    } while (base < all);
    return mst_round_if_arena(call);
}

static bool read(const mst_call *call)
{
    return mst_read_lent(call, call->request->root, 0, 0,
                         call->request->count * call->request->element_bytes);
}

static void compute(const mst_inputs *inputs)
{
    const mst_request *request = inputs->call->request;

    mst_deliver(inputs->call, 0, inputs->in[request->root], request->count * request->element_bytes);
}

const mst_method mst_method_broadcast = { .run = broadcast, .read = read, .compute = compute };
