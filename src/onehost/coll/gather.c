/* gather: every rank's block, for the root alone (collect.c). */
#include "src/onehost/coll/patterns.h"

static muster_status gather(mst_call *call)
{
    return mst_collect_blocks(call, call->group->base.rank == call->request->root);
}

const mst_method mst_method_gather = { .run = gather };
