/* reduce: the root gets the reduction of all inputs. Algorithm and cost: reduce_pattern.c; all ranks take
 * part. */
#include "src/onehost/coll/reduce_pattern.h"
#include "src/onehost/coll/reduce_started.h"

static muster_status reduce(mst_call *call)
{
    return mst_reduce_all(call, call->group->base.rank == call->request->root);
}

const mst_method mst_method_reduce = {
    .run = reduce, .sharing = MST_SHARED_IF_LARGE, .compute = mst_reduce_inputs, .by_slices = true
};
