/* gather: every rank's block, for the root alone (collect.c). */
#include "src/onehost/coll/patterns.h"

muster_status mst_coll_gather(mst_call *call)
{
    return mst_collect_blocks(call, call->group->rank == call->root);
}

muster_status muster_gather(const void *in, void *out, size_t count_per_rank, muster_dtype dtype, int root,
                            muster_group *group)
{
    return mst_collective_run(&(mst_call){ .collective = MST_GATHER,
                                           .in = in,
                                           .out = out,
                                           .count = count_per_rank,
                                           .dtype = dtype,
                                           .root = root,
                                           .group = group });
}
