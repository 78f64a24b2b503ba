/* all_gather: every rank's block, for every rank (collect.c). */
#include "src/onehost/coll/patterns.h"

static muster_status all_gather(mst_call *call)
{
    return mst_collect_blocks(call, true);
}

const mst_method mst_method_all_gather = { .run = all_gather };
