/*
 * The gather pattern, for all_gather and gather: every rank's block, in rank order.
 *
 * Each rank stages a part of its block, all do one round, and each receiver copies all parts; as many rounds
 * as it takes, each filling a slot. If all inputs are in the arena they are read there, in one round, with
 * one more round at the end. Cost for blocks of N bytes, p ranks: one synchronisation per round, 2 N bytes of
 * traffic to stage and 2 (p - 1) N to copy.
 */
#include "src/onehost/coll/gather_pattern.h"

#include "src/onehost/coll/one_copy.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/view.h"

/* Copies our own part last, in every round: it is still in our cache. */
static void copy_blocks(const mst_call *call, size_t base, size_t bytes)
{
    size_t block = call->request->count * call->request->element_bytes;
    size_t own = (size_t)call->group->base.rank * block;

    for (int i = 1; i < call->group->base.size; i++) {
        int rank = (call->group->base.rank + i) % call->group->base.size;

        mst_deliver(call, (size_t)rank * block + base, mst_view(call, rank, base, 0), bytes);
    }
    mst_deliver(call, own + base, (const unsigned char *)call->request->in + base, bytes);
}

bool mst_gather_lent(const mst_call *call)
{
    size_t block = call->request->count * call->request->element_bytes;
    int size = call->group->base.size, own = call->group->base.rank;
    bool whole = true;

    for (int i = 1; i <= size && whole; i++) {
        int rank = (own + i) % size;

        whole = mst_read_lent(call, rank, 0, (size_t)rank * block, block);
    }
    return whole;
}

void mst_gather_inputs(const mst_inputs *inputs)
{
    const mst_group *group = inputs->call->group;
    size_t block = inputs->call->request->count * inputs->call->request->element_bytes;

    for (int i = 1; i <= group->base.size; i++) {
        int rank = (group->base.rank + i) % group->base.size;

        mst_deliver(inputs->call, (size_t)rank * block, inputs->in[rank], block);
    }
}

muster_status mst_gather_blocks(mst_call *call, bool receives)
{
    size_t block = call->request->count * call->request->element_bytes;
    size_t round = mst_slot_bytes(call) / mst_call_unit_bytes(call) * mst_call_unit_bytes(call);
    size_t base = 0;

    do {
        size_t bytes = block - base < round ? block - base : round;

        if (!call->in_offset)
            mst_stage(call, 0, (const unsigned char *)call->request->in + base, bytes);
        muster_status status = mst_round(call, bytes);
        if (status != MUSTER_OK)
            return status;
        if (mst_all_inputs_in_arena(call))
            bytes = block;
        if (receives)
            copy_blocks(call, base, bytes);
        base += bytes;
    } while (base < block);
    return mst_round_if_arena(call);
}
