/* all_reduce, with all_sum, all_max and all_min: every rank gets the reduction of all inputs. Algorithm and
 * cost: reduce_pattern.c. */
#include "src/onehost/coll/reduce_pattern.h"
#include "src/onehost/coll/reduce_started.h"

static muster_status all_reduce(mst_call *call)
{
    return mst_reduce_all(call, true);
}

const mst_method mst_method_all_reduce = {
    .run = all_reduce, .sharing = MST_SHARED_ALWAYS, .compute = mst_reduce_inputs, .by_slices = true
};
