/*
 * scatter: rank r gets block r of the root's input.
 *
 * The root stages a part of every rank's block, all do one round, and each rank copies its part; parts are
 * sized as for broadcast. If the root's input is in the arena it is read there, in one round, with one more
 * round at the end. Cost for blocks of N bytes, p ranks: one synchronisation per round; 2 p N bytes of
 * traffic for the root, 2 N for each other rank.
 */
#include "src/onehost/coll/one_copy.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/scatter_pattern.h"
#include "src/onehost/coll/view.h"

static muster_status scatter(mst_call *call)
{
    size_t block = call->request->count * call->request->element_bytes;
    size_t round = mst_call_round_bytes(call, block, mst_scatter_round_bytes(call));
    int root = call->request->root;
    bool is_root = call->group->base.rank == root;
    size_t own = (size_t)call->group->base.rank;
    size_t base = 0;

    do {
        size_t bytes = block - base < round ? block - base : round;
        size_t staged = bytes;

        if (is_root)
            mst_scatter_stage(call, base, bytes);
        muster_status status = mst_round(call, staged * mst_scatter_parts(call));
        if (status != MUSTER_OK)
            return status;
        if (mst_all_inputs_in_arena(call))
            bytes = block;
        if (!is_root)
            mst_deliver(
                call, base,
                mst_view(call, root, own * block + base, mst_scatter_part(call, root, (int)own) * staged),
                bytes);
        base += bytes;
    } while (base < block);
    if (is_root)
        mst_deliver(call, 0, (const unsigned char *)call->request->in + own * block, block);
    return mst_round_if_arena(call);
}

static bool read(const mst_call *call)
{
    size_t block = call->request->count * call->request->element_bytes;

    return mst_read_lent(call, call->request->root, (size_t)call->group->base.rank * block, 0, block);
}

static void compute(const mst_inputs *inputs)
{
    const mst_request *request = inputs->call->request;
    size_t block = request->count * request->element_bytes;

    mst_deliver(inputs->call, 0, inputs->in[request->root] + (size_t)inputs->call->group->base.rank * block,
                block);
}

const mst_method mst_method_scatter = { .run = scatter, .read = read, .compute = compute };
