/* gather: the root gets every rank's block. Algorithm and cost: gather_pattern.c. */
#include "src/onehost/coll/gather_pattern.h"

static muster_status gather(mst_call *call)
{
    return mst_gather_blocks(call, call->group->base.rank == call->request->root);
}

static bool read(const mst_call *call)
{
    return call->group->base.rank != call->request->root || mst_gather_lent(call);
}

const mst_method mst_method_gather = { .run = gather, .read = read, .compute = mst_gather_inputs };
