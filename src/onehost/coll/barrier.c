/* barrier: one round without data. Cost: one synchronisation. */
#include "src/onehost/coll/round.h"

static muster_status barrier(mst_call *call)
{
    int by;

    muster_status status = mst_round(call, 0);
    if (!call->shared || status != MUSTER_OK)
        return status;
    status = mst_work_share(call, 1, NULL, NULL); /* tells late members that all have arrived */
    return status == MUSTER_OK ? mst_work_await(call, 0, &by) : status;
}

const mst_method mst_method_barrier = { .run = barrier, .sharing = MST_SHARED_ALWAYS };
