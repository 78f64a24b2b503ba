/* all_reduce, and all_sum, all_max, all_min: the reduction of all inputs for every rank (reduce_pattern.c).
 */
#include "src/onehost/coll/reduce_pattern.h"

static muster_status all_reduce(mst_call *call)
{
    return mst_reduce_all(call, true);
}

const mst_method mst_method_all_reduce = { .run = all_reduce, .sharing = MST_SHARED_ALWAYS };
