/*
 * reduce_scatter, with sum_scatter: rank r gets the reduction of block r of all inputs.
 *
 * Each rank stages a part of every other rank's block, does one round, and reduces the parts of its own
 * block; as many rounds as it takes, each filling a slot. If all inputs are in the arena they are read there,
 * in one round, with one more round at the end. Cost for blocks of N bytes, p ranks: one synchronisation per
 * round, 2 (p - 1) N bytes of traffic to stage and (p + 1) N to reduce.
 */
#include "src/onehost/coll/assembled.h"
#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/reduce_started.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/scatter_pattern.h"
#include "src/onehost/coll/view.h"

static void reduce_own_block(const mst_call *call, size_t base, size_t bytes, size_t staged)
{
    mst_group *group = call->group;
    size_t own = (size_t)group->base.rank;
    size_t in_at = own * call->request->count * call->request->element_bytes + base;

    for (int rank = 0; rank < group->base.size; rank++)
        group->sources[rank] =
            rank == group->base.rank
                ? (const unsigned char *)call->request->in + in_at
                : mst_view(call, rank, in_at, mst_scatter_part(call, rank, group->base.rank) * staged);
    mst_combine_out(call, base, bytes);
}

static muster_status reduce_scatter(mst_call *call)
{
    size_t block = call->request->count * call->request->element_bytes;
    size_t round = mst_scatter_round_bytes(call);
    size_t base = 0;

    if (call->plan.assembled)
        return mst_reduce_assembled(call, call->group->base.size);
    do {
        size_t bytes = block - base < round ? block - base : round;
        size_t staged = bytes;

        mst_scatter_stage(call, base, bytes);
        muster_status status = mst_round(call, staged * mst_scatter_parts(call));
        if (status != MUSTER_OK)
            return status;
        if (mst_all_inputs_in_arena(call))
            bytes = block;
        reduce_own_block(call, base, bytes, staged);
        base += bytes;
    } while (base < block);
    return mst_round_if_arena(call);
}

static void compute(const mst_inputs *inputs)
{
    size_t block = inputs->call->request->count * inputs->call->request->element_bytes;

    mst_reduce_part(inputs, inputs->call->group->base.size, (size_t)inputs->call->group->base.rank * block,
                    block);
}

const mst_method mst_method_reduce_scatter = { .run = reduce_scatter, .compute = compute };
