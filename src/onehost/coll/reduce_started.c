/* Reductions of started operations, for reduce_started.h: all inputs can be read, for as long as it takes. */
#include "src/onehost/coll/reduce_started.h"

#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/reduce_pattern.h"
#include "src/onehost/coll/view.h"

static void read_from(const mst_inputs *inputs, int count, size_t at)
{
    for (int rank = 0; rank < count; rank++)
        inputs->sources[rank] = inputs->in[rank] + at;
}

void mst_reduce_part(const mst_inputs *inputs, int count, size_t at, size_t bytes)
{
    const mst_call *call = inputs->call;
    unsigned char *out = call->request->out;

    read_from(inputs, count, at);
    if (call->plan.assembled) {
        mst_copy(out, inputs->sources[0], bytes);
        mst_combine_onto(call, out, inputs->sources, count, bytes);
    } else if (count < call->group->base.size || !mst_streams_out(call)) {
        mst_combine(call, out, inputs->sources, count, bytes);
    } else {
        inputs->targets[0] = (mst_target){ out, true };
        mst_combine_sources(call, inputs->sources, inputs->targets, 1, bytes);
    }
}

void mst_reduce_inputs(const mst_inputs *inputs)
{
    mst_reduce_part(inputs, inputs->call->group->base.size, 0,
                    inputs->call->request->count * inputs->call->request->element_bytes);
}

void mst_reduce_own_slice(const mst_inputs *inputs, int targets)
{
    const mst_call *call = inputs->call;
    mst_slice own = mst_reduce_slice(call, call->request->count, call->group->base.rank);

    read_from(inputs, call->group->base.size, own.begin);
    mst_combine_sources(call, inputs->sources, inputs->targets, targets, own.count);
}
