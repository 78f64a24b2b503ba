/*
 * Reductions of elements that are assembled first, for assembled.h.
 *
 * Each rank copies all ranks' elements, some at a time, into memory of its own, whatever rounds they take,
 * and reduces them there. If an input is in the arena, one more round follows before results are written,
 * since the output may be the input that others still read. Cost for N bytes, p ranks: one synchronisation
 * per slot, p N bytes copied by every rank, and private memory for a batch of each rank's elements.
 */
#include "src/onehost/coll/assembled.h"

#include <stdlib.h>

#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/scatter_pattern.h"
#include "src/onehost/coll/view.h"
#include "src/onehost/wait/broken.h"

/* Elements that are reduced together: bytes [at, at + bytes) of what this rank reduces. */
typedef struct batch {
    unsigned char *memory; /* the elements of rank r at r * bytes; NULL: this rank gets no result */
    size_t at, bytes;
} batch;

static bool is_scattered(const mst_call *call)
{
    return mst_shapes[call->request->collective].in == SPAN_ALL;
}

/* How many bytes of what each rank reduces fit a slot. */
static size_t part_bytes(const mst_call *call)
{
    return is_scattered(call) ? mst_scatter_round_bytes(call) : mst_slot_bytes(call);
}

static muster_status stage(mst_call *call, size_t base, size_t bytes)
{
    if (is_scattered(call)) {
        mst_scatter_stage(call, base, bytes);
        return mst_round(call, bytes * mst_scatter_parts(call));
    }
    if (!call->in_offset)
        mst_stage(call, 0, (const unsigned char *)call->request->in + base, bytes);
    return mst_round(call, bytes);
}

/* Copies a part of all ranks' inputs; `staged`: the bytes of the part in slots. */
static void assemble(const mst_call *call, const batch *batch, size_t base, size_t bytes, size_t staged)
{
    mst_group *group = call->group;
    int own = group->base.rank;
    size_t block = is_scattered(call) ? call->request->count * call->request->element_bytes : 0;
    size_t in_at = (size_t)own * block + base;

    for (int rank = 0; rank < group->base.size; rank++)
        mst_copy(batch->memory + (size_t)rank * batch->bytes + (base - batch->at),
                 rank == own
                     ? (const unsigned char *)call->request->in + in_at
                     : mst_view(call, rank, in_at, block ? mst_scatter_part(call, rank, own) * staged : 0),
                 bytes);
}

static muster_status fill(mst_call *call, const batch *batch)
{
    size_t end = batch->at + batch->bytes, part = part_bytes(call);

    for (size_t base = batch->at, bytes; base < end; base += bytes) {
        size_t staged = bytes = end - base < part ? end - base : part;

        if (!call->met || !mst_all_inputs_in_arena(call)) {
            muster_status status = stage(call, base, bytes);
            if (status != MUSTER_OK)
                return status;
        }
        if (mst_all_inputs_in_arena(call))
            bytes = end - base;
        if (batch->memory)
            assemble(call, batch, base, bytes, staged);
    }
    return mst_round_if_arena(call);
}

static void reduce(const mst_call *call, const batch *batch, int inputs)
{
    mst_group *group = call->group;

    for (int rank = 0; rank < inputs; rank++)
        group->sources[rank] = batch->memory + (size_t)rank * batch->bytes;
    mst_combine_onto(call, batch->memory, group->sources, inputs, batch->bytes);
    mst_deliver(call, batch->at, batch->memory, batch->bytes);
}

muster_status mst_assembled_no_memory(const mst_call *call, size_t bytes)
{
    return mst_group_poison(call->group, MST_POISON_ABORT,
                            "rank %d has no memory for %zu bytes, in which it would combine elements of %zu",
                            call->group->base.rank, bytes, call->request->element_bytes);
}

muster_status mst_reduce_assembled(mst_call *call, int inputs)
{
    size_t element = call->request->element_bytes, all = call->request->count * element;
    size_t ranks = (size_t)call->group->base.size, fit = MST_ASSEMBLED_BYTES / ranks / element;
    size_t most = (fit ? fit : 1) * element;
    muster_status status = MUSTER_OK;

    most = most < all ? most : all;
    batch batch = { .memory = inputs ? malloc(ranks * most) : NULL };
    if (inputs && !batch.memory)
        return mst_assembled_no_memory(call, ranks * most);
    for (; batch.at < all && status == MUSTER_OK; batch.at += most) {
        batch.bytes = all - batch.at < most ? all - batch.at : most;
        status = fill(call, &batch);
        if (status == MUSTER_OK && inputs)
            reduce(call, &batch, inputs);
    }
    free(batch.memory);
    return status;
}
