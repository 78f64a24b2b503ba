/* all_reduce, and all_sum, all_max, all_min: the reduction of all inputs for every rank (fold.c). */
#include "src/onehost/coll/patterns.h"
#include "src/onehost/coll/started.h"

muster_status mst_coll_all_reduce(mst_call *call)
{
    return mst_fold_all(call, true);
}

muster_status muster_all_reduce(const void *in, void *out, size_t count, muster_dtype dtype, muster_op op,
                                muster_group *group)
{
    return mst_collective_run(&(mst_call){ .collective = MST_ALL_REDUCE,
                                           .in = in,
                                           .out = out,
                                           .count = count,
                                           .dtype = dtype,
                                           .op = op,
                                           .group = group });
}

muster_status muster_all_sum(const void *in, void *out, size_t count, muster_dtype dtype, muster_group *group)
{
    return muster_all_reduce(in, out, count, dtype, MUSTER_SUM, group);
}

muster_status muster_all_max(const void *in, void *out, size_t count, muster_dtype dtype, muster_group *group)
{
    return muster_all_reduce(in, out, count, dtype, MUSTER_MAX, group);
}

muster_status muster_all_min(const void *in, void *out, size_t count, muster_dtype dtype, muster_group *group)
{
    return muster_all_reduce(in, out, count, dtype, MUSTER_MIN, group);
}

muster_status muster_all_reduce_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                      muster_op op, muster_group *group, muster_request *request)
{
    return mst_collective_start(&(mst_call){ .collective = MST_ALL_REDUCE,
                                             .in = in,
                                             .out = out,
                                             .count = count,
                                             .dtype = dtype,
                                             .op = op,
                                             .group = group },
                                request);
}
