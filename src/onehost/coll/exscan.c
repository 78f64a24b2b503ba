/* exscan: rank r gets in_0 op ... op in_r-1, and rank 0 nothing. Algorithm and cost: scan_pattern.c. */
#include "src/onehost/coll/scan_pattern.h"

static muster_status exscan(mst_call *call)
{
    return mst_scan_ranks(call, false);
}

static void compute(const mst_inputs *inputs)
{
    mst_scan_inputs(inputs, false);
}

const mst_method mst_method_exscan = { .run = exscan, .compute = compute };
