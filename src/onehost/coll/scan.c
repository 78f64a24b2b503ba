/* scan: rank r gets in_0 op ... op in_r. Algorithm and cost: scan_pattern.c. */
#include "src/onehost/coll/scan_pattern.h"

static muster_status scan(mst_call *call)
{
    return mst_scan_ranks(call, true);
}

static void compute(const mst_inputs *inputs)
{
    mst_scan_inputs(inputs, true);
}

const mst_method mst_method_scan = { .run = scan, .compute = compute };
