/* Staging for collectives in which a rank has a block for every other rank, for scatter_pattern.h. */
#include "src/onehost/coll/scatter_pattern.h"

#include "src/onehost/coll/view.h"

size_t mst_scatter_parts(const mst_call *call)
{
    return (size_t)call->group->base.size - 1;
}

size_t mst_scatter_round_bytes(const mst_call *call)
{
    size_t unit = mst_call_unit_bytes(call);

    return mst_slot_bytes(call) / mst_scatter_parts(call) / unit * unit;
}

size_t mst_scatter_part(const mst_call *call, int from, int to)
{
    int part = to - from - 1;

    return (size_t)(part < 0 ? part + call->group->base.size : part);
}

void mst_scatter_stage(const mst_call *call, size_t base, size_t bytes)
{
    size_t block = call->request->count * call->request->element_bytes;
    const unsigned char *in = call->request->in;

    if (call->in_offset)
        return;
    for (int rank = 0; rank < call->group->base.size; rank++)
        if (rank != call->group->base.rank)
            mst_stage(call, mst_scatter_part(call, call->group->base.rank, rank) * bytes,
                      in + (size_t)rank * block + base, bytes);
}
