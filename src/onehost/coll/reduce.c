/* reduce: the reduction of all inputs for the root alone (fold.c). Every rank folds its share. */
#include "src/onehost/coll/patterns.h"

static muster_status reduce(mst_call *call)
{
    return mst_fold_all(call, call->group->base.rank == call->request->root);
}

const mst_method mst_method_reduce = { .run = reduce, .pooling = MST_POOLED_IF_LARGE };
