/* What hosts do for each collective: a row for each one of src/pure/collective.h. */
#include "src/hosts/collectives.h"

#include "src/hosts/agree.h"
#include "src/hosts/plans.h"

#define NOT_THERE NULL /* as the plan: ranks on several hosts are told that in words */

/* clang-format off */
/*  X(NAME, plan, and what a rank with output does if all inputs came with the records, or NULL: the plan) */
#define ROWS(X)                                              \
    X(BARRIER, mst_plan_nothing, NULL)                       \
    X(ALL_REDUCE, mst_plan_reduction, mst_finish_reduction)  \
    X(ALL_GATHER, mst_plan_all_gather, mst_finish_gather)    \
    X(REDUCE_SCATTER, mst_plan_blocks, NULL)                 \
    X(BROADCAST, mst_plan_broadcast, mst_finish_broadcast)   \
    X(REDUCE, mst_plan_reduction, mst_finish_reduction)      \
    X(GATHER, mst_plan_exchange, mst_finish_gather)          \
    X(SCATTER, mst_plan_exchange, NULL)                      \
    X(ALL_TO_ALL, mst_plan_exchange, NULL)                   \
    X(ALL_GATHERV, mst_plan_all_gather, NULL)                \
    X(GATHERV, mst_plan_exchange, NULL)                      \
    X(SCATTERV, mst_plan_exchange, NULL)                     \
    X(ALL_TO_ALLV, mst_plan_exchange, NULL)                  \
    X(REDUCE_SCATTERV, mst_plan_blocks, NULL)                \
    X(SCAN, mst_plan_gathered, mst_finish_reduction)         \
    X(EXSCAN, mst_plan_gathered, mst_finish_reduction)
/* clang-format on */

typedef struct row {
    mst_run_plan plan, finish;
} row;

static const row rows[MST_COLLECTIVE_COUNT] = {
#define ROW(NAME, plan, finish) [MST_##NAME] = { plan, finish },
    ROWS(ROW)
#undef ROW
};

#define ONE(NAME, ...) +1
_Static_assert(0 ROWS(ONE) == MST_COLLECTIVE_COUNT,
               "each collective has a row in src/hosts/collectives.c: NOT_THERE if it has no plan yet");
#undef ONE

static const row *row_of(const mst_request *request)
{
    static const row none = { NOT_THERE, NULL };

    return (unsigned)request->collective < MST_COLLECTIVE_COUNT ? &rows[request->collective] : &none;
}

muster_status mst_hosts_admit_collective(const mst_request *request)
{
    char name[MUSTER_CALL_NAME_BYTES];

    if (row_of(request)->plan)
        return MUSTER_OK;
    mst_collective_name(request->collective, request->op, request->made ? request->made->name : NULL, name,
                        sizeof name);
    return mst_fail(MUSTER_ERR_UNSUPPORTED,
                    "%s is not there over several hosts yet; call it in a group whose ranks are on one host",
                    name);
}

muster_status mst_plan_collective(mst_run *run)
{
    const mst_request *request = &run->request;
    const mst_shape *shape = &mst_shapes[request->collective];
    const row *row = row_of(request);

    if (!row->plan)
        return mst_hosts_admit_collective(request);
    if (!shape->varied && request->count == 0)
        return MUSTER_OK;
    if (!row->finish || !mst_hosts_has_inputs(run))
        return row->plan(run);
    return mst_span_has(shape->out, request->root, run->group->base.rank) ? row->finish(run) : MUSTER_OK;
}
