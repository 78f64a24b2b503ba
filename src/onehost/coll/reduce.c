/* reduce: the reduction of all inputs for the root alone (fold.c). Every rank folds its share. */
#include "src/onehost/coll/patterns.h"

muster_status mst_coll_reduce(mst_call *call)
{
    return mst_fold_all(call, call->group->rank == call->root);
}

muster_status muster_reduce(const void *in, void *out, size_t count, muster_dtype dtype, muster_op op,
                            int root, muster_group *group)
{
    return mst_collective_run(&(mst_call){ .collective = MST_REDUCE,
                                           .in = in,
                                           .out = out,
                                           .count = count,
                                           .dtype = dtype,
                                           .op = op,
                                           .root = root,
                                           .group = group });
}
