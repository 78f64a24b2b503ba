/* all_gather: every rank gets every rank's block. Algorithm and cost: gather_pattern.c. */
#include "src/onehost/coll/gather_pattern.h"

static muster_status all_gather(mst_call *call)
{
    return mst_gather_blocks(call, true);
}

const mst_method mst_method_all_gather = { .run = all_gather,
                                           .read = mst_gather_lent,
                                           .compute = mst_gather_inputs };
