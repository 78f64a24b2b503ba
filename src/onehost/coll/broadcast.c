/*
 * broadcast: the root stages a piece, one step, everyone copies it; in rounds of a quarter, or less if that
 * does not fit a slot, so that the root stages one while the others copy another. A root whose input lies in
 * the arena has it read there, in one round with one more step at the end. N bytes: one synchronisation per
 * round, 2 N of traffic per rank.
 */
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/started.h"
#include "src/onehost/coll/view.h"

muster_status mst_coll_broadcast(mst_call *call)
{
    size_t all = call->count * call->element_bytes;
    size_t round = mst_call_round_bytes(call, all, mst_slot_bytes(call));
    bool is_root = call->group->rank == call->root;
    size_t base = 0;

    do {
        size_t bytes = all - base < round ? all - base : round;

        if (is_root && !call->in_offset)
            mst_stage(call, 0, (const unsigned char *)call->in + base, bytes);
        muster_status status = mst_step(call, bytes);
        if (status != MUSTER_OK)
            return status;
        if (mst_all_inputs_in_arena(call))
            bytes = all;
        /* The root too piece by piece: it is in its cache still, and the others copy at the same time. */
        mst_deliver(call, base,
                    is_root ? (const unsigned char *)call->in + base : mst_view(call, call->root, base, 0),
                    bytes);
        base += bytes;
    } while (base < all);
    return mst_step_if_arena(call);
}

muster_status muster_broadcast(const void *in, void *out, size_t count, muster_dtype dtype, int root,
                               muster_group *group)
{
    return mst_collective_run(&(mst_call){ .collective = MST_BROADCAST,
                                           .in = in,
                                           .out = out,
                                           .count = count,
                                           .dtype = dtype,
                                           .root = root,
                                           .group = group });
}

muster_status muster_broadcast_start(const void *in, void *out, size_t count, muster_dtype dtype, int root,
                                     muster_group *group, muster_request *request)
{
    return mst_collective_start(&(mst_call){ .collective = MST_BROADCAST,
                                             .in = in,
                                             .out = out,
                                             .count = count,
                                             .dtype = dtype,
                                             .root = root,
                                             .group = group },
                                request);
}
