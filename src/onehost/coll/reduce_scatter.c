/*
 * reduce_scatter, and sum_scatter: each rank stages a piece of every other rank's block, one step,
 * each folds the pieces of its own block from all; in rounds that fit a slot. Where all inputs lie in
 * the arena there is one round, folded from where they lie, and one more step at the end. Blocks of N
 * bytes, p ranks: one synchronisation per round, 2 (p - 1) N to stage and (p + 1) N to fold.
 */
#include "src/onehost/coll/patterns.h"
#include "src/onehost/coll/started.h"

static void fold_own_block(const mst_call *call, size_t base, size_t bytes, size_t staged)
{
    muster_group *group = call->group;
    size_t own = (size_t)group->rank;
    size_t in_at = own * call->count * call->element_bytes + base;

    for (int rank = 0; rank < group->size; rank++)
        group->sources[rank] = rank == group->rank ? (const unsigned char *)call->in + in_at
                                                   : mst_view(call, rank, in_at, own * staged);
    mst_fold_out(call, base, bytes);
}

muster_status mst_coll_reduce_scatter(mst_call *call)
{
    size_t block = call->count * call->element_bytes;
    size_t round = mst_deal_round_bytes(call);
    size_t base = 0;

    do {
        size_t bytes = block - base < round ? block - base : round;
        size_t staged = bytes;

        mst_deal_stage(call, base, bytes);
        muster_status status = mst_step(call, staged * (size_t)call->group->size);
        if (status != MUSTER_OK)
            return status;
        if (mst_all_inputs_in_arena(call))
            bytes = block;
        fold_own_block(call, base, bytes, staged);
        base += bytes;
    } while (base < block);
    return mst_step_if_arena(call);
}

muster_status muster_reduce_scatter(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                    muster_op op, muster_group *group)
{
    return mst_collective_run(&(mst_call){ .collective = MST_REDUCE_SCATTER,
                                           .in = in,
                                           .out = out,
                                           .count = count_per_rank,
                                           .dtype = dtype,
                                           .op = op,
                                           .group = group });
}

muster_status muster_sum_scatter(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                 muster_group *group)
{
    return muster_reduce_scatter(in, out, count_per_rank, dtype, MUSTER_SUM, group);
}

muster_status muster_reduce_scatter_start(const void *in, void *out, size_t count_per_rank,
                                          muster_dtype dtype, muster_op op, muster_group *group,
                                          muster_request *request)
{
    return mst_collective_start(&(mst_call){ .collective = MST_REDUCE_SCATTER,
                                             .in = in,
                                             .out = out,
                                             .count = count_per_rank,
                                             .dtype = dtype,
                                             .op = op,
                                             .group = group },
                                request);
}
