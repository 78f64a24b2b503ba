/* barrier: one step that carries nothing. Cost: one synchronisation. */
#include "src/coll/coll.h"

muster_status mst_coll_barrier(mst_call *call)
{
    int leader;

    if (!call->led)
        return mst_step(call, 0);
    muster_status status = mst_step_elect(call, 0, &leader);
    return status == MUSTER_OK ? mst_step_led(call, 0, leader) : status;
}

muster_status muster_barrier(muster_group *group)
{
    return mst_collective_run(&(mst_call){ .collective = MST_BARRIER, .group = group });
}
