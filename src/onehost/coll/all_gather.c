/* all_gather: every rank's block, for every rank (collect.c). */
#include "src/onehost/coll/patterns.h"
#include "src/onehost/coll/started.h"

muster_status mst_coll_all_gather(mst_call *call)
{
    return mst_collect_blocks(call, true);
}

muster_status muster_all_gather(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                muster_group *group)
{
    return mst_collective_run(&(mst_call){ .collective = MST_ALL_GATHER,
                                           .in = in,
                                           .out = out,
                                           .count = count_per_rank,
                                           .dtype = dtype,
                                           .group = group });
}

muster_status muster_all_gather_start(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                      muster_group *group, muster_request *request)
{
    return mst_collective_start(&(mst_call){ .collective = MST_ALL_GATHER,
                                             .in = in,
                                             .out = out,
                                             .count = count_per_rank,
                                             .dtype = dtype,
                                             .group = group },
                                request);
}
