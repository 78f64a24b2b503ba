/*
 * all_to_all: rank r gets block r of every rank.
 *
 * Each rank stages a part of its block for every other rank, does one round, and copies the parts that are
 * for it; as many rounds as it takes, each filling a slot. If all inputs are in the arena they are read
 * there, in one round, with one more round at the end. Cost for blocks of N bytes, p ranks: one
 * synchronisation per round, 2 (p - 1) N bytes of traffic to stage and as much to copy.
 */
#include "src/onehost/coll/one_copy.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/scatter_pattern.h"
#include "src/onehost/coll/view.h"

static void copy_own_blocks(const mst_call *call, size_t base, size_t bytes, size_t staged)
{
    size_t block = call->request->count * call->request->element_bytes;
    size_t own = (size_t)call->group->base.rank;

    for (int i = 1; i < call->group->base.size; i++) {
        int rank = (call->group->base.rank + i) % call->group->base.size;

        mst_deliver(call, (size_t)rank * block + base,
                    mst_view(call, rank, own * block + base,
                             mst_scatter_part(call, rank, call->group->base.rank) * staged),
                    bytes);
    }
}

static muster_status all_to_all(mst_call *call)
{
    size_t block = call->request->count * call->request->element_bytes;
    size_t round = mst_scatter_round_bytes(call);
    size_t own = (size_t)call->group->base.rank * block;
    size_t base = 0;

    do {
        size_t bytes = block - base < round ? block - base : round;
        size_t staged = bytes;

        mst_scatter_stage(call, base, bytes);
        muster_status status = mst_round(call, staged * mst_scatter_parts(call));
        if (status != MUSTER_OK)
            return status;
        if (mst_all_inputs_in_arena(call))
            bytes = block;
        copy_own_blocks(call, base, bytes, staged);
        base += bytes;
    } while (base < block);
    mst_deliver(call, own, (const unsigned char *)call->request->in + own, block);
    return mst_round_if_arena(call);
}

static bool read(const mst_call *call)
{
    size_t block = call->request->count * call->request->element_bytes;
    int size = call->group->base.size, own = call->group->base.rank;
    bool whole = true;

    for (int i = 1; i <= size && whole; i++) {
        int rank = (own + i) % size;

        whole = mst_read_lent(call, rank, (size_t)own * block, (size_t)rank * block, block);
    }
    return whole;
}

static void compute(const mst_inputs *inputs)
{
    const mst_group *group = inputs->call->group;
    size_t block = inputs->call->request->count * inputs->call->request->element_bytes;

    for (int i = 1; i <= group->base.size; i++) {
        int rank = (group->base.rank + i) % group->base.size;

        mst_deliver(inputs->call, (size_t)rank * block, inputs->in[rank] + (size_t)group->base.rank * block,
                    block);
    }
}

const mst_method mst_method_all_to_all = { .run = all_to_all, .read = read, .compute = compute };
