/* Staging for collectives in which every rank has a block for every other, of patterns.h. */
#include "src/onehost/coll/patterns.h"

size_t mst_deal_round_bytes(const mst_call *call)
{
    return mst_slot_bytes(call) / (size_t)call->group->size / call->element_bytes * call->element_bytes;
}

void mst_deal_stage(const mst_call *call, size_t base, size_t bytes)
{
    size_t block = call->count * call->element_bytes;
    const unsigned char *in = call->in;

    if (call->in_offset)
        return;
    for (int rank = 0; rank < call->group->size; rank++)
        if (rank != call->group->rank)
            mst_stage(call, (size_t)rank * bytes, in + (size_t)rank * block + base, bytes);
}
