/* Staging for collectives in which a rank has a block for every other rank, for scatter_pattern.h. */
#include "src/onehost/coll/scatter_pattern.h"

#include "src/onehost/coll/view.h"

size_t mst_scatter_round_bytes(const mst_call *call)
{
    size_t unit = mst_call_unit_bytes(call);

    return mst_slot_bytes(call) / (size_t)call->group->base.size / unit * unit;
}

void mst_scatter_stage(const mst_call *call, size_t base, size_t bytes)
{
    size_t block = call->request->count * call->request->element_bytes;
    const unsigned char *in = call->request->in;

    if (call->in_offset)
        return;
    for (int rank = 0; rank < call->group->base.size; rank++)
        if (rank != call->group->base.rank)
            mst_stage(call, (size_t)rank * bytes, in + (size_t)rank * block + base, bytes);
}
