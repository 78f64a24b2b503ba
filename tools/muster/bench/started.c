/* Started forms, by name, for started.h. */
#include "tools/muster/bench/started.h"

#include <string.h>

static muster_status start_all_reduce(const bench_call *c, muster_request *request)
{
    return muster_all_reduce_start(c->in, c->out, c->count, c->dtype, c->op, c->group, request);
}

static muster_status start_all_gather(const bench_call *c, muster_request *request)
{
    return muster_all_gather_start(c->in, c->out, c->count, c->dtype, c->group, request);
}

static muster_status start_reduce_scatter(const bench_call *c, muster_request *request)
{
    return muster_reduce_scatter_start(c->in, c->out, c->count, c->dtype, c->op, c->group, request);
}

static muster_status start_broadcast(const bench_call *c, muster_request *request)
{
    return muster_broadcast_start(c->in, c->out, c->count, c->dtype, 0, c->group, request);
}

static muster_status start_reduce(const bench_call *c, muster_request *request)
{
    return muster_reduce_start(c->in, c->out, c->count, c->dtype, c->op, 0, c->group, request);
}

static muster_status start_gather(const bench_call *c, muster_request *request)
{
    return muster_gather_start(c->in, c->out, c->count, c->dtype, 0, c->group, request);
}

static muster_status start_scatter(const bench_call *c, muster_request *request)
{
    return muster_scatter_start(c->in, c->out, c->count, c->dtype, 0, c->group, request);
}

static muster_status start_all_to_all(const bench_call *c, muster_request *request)
{
    return muster_all_to_all_start(c->in, c->out, c->count, c->dtype, c->group, request);
}

static muster_status start_all_gatherv(const bench_call *c, muster_request *request)
{
    return muster_all_gatherv_start(c->in, c->count, c->out, bench_counts(c), NULL, c->dtype, c->group,
                                    request);
}

static muster_status start_reduce_scatterv(const bench_call *c, muster_request *request)
{
    return muster_reduce_scatterv_start(c->in, bench_counts(c), c->out, c->dtype, c->op, c->group, request);
}

static muster_status start_gatherv(const bench_call *c, muster_request *request)
{
    return muster_gatherv_start(c->in, c->count, c->out, bench_counts(c), NULL, c->dtype, 0, c->group,
                                request);
}

static muster_status start_scatterv(const bench_call *c, muster_request *request)
{
    return muster_scatterv_start(c->in, bench_counts(c), NULL, c->out, c->count, c->dtype, 0, c->group,
                                 request);
}

static muster_status start_all_to_allv(const bench_call *c, muster_request *request)
{
    return muster_all_to_allv_start(c->in, bench_counts(c), NULL, c->out, bench_counts(c), NULL, c->dtype,
                                    c->group, request);
}

static muster_status start_scan(const bench_call *c, muster_request *request)
{
    return muster_scan_start(c->in, c->out, c->count, c->dtype, c->op, c->group, request);
}

static muster_status start_exscan(const bench_call *c, muster_request *request)
{
    return muster_exscan_start(c->in, c->out, c->count, c->dtype, c->op, c->group, request);
}

static muster_status start_barrier(const bench_call *c, muster_request *request)
{
    return muster_barrier_start(c->group, request);
}

static const struct {
    const char *name;
    bench_start_fn start;
} forms[] = {
    { "all_reduce", start_all_reduce },
    { "all_gather", start_all_gather },
    { "reduce_scatter", start_reduce_scatter },
    { "broadcast", start_broadcast },
    { "reduce", start_reduce },
    { "gather", start_gather },
    { "scatter", start_scatter },
    { "all_to_all", start_all_to_all },
    { "all_gatherv", start_all_gatherv },
    { "reduce_scatterv", start_reduce_scatterv },
    { "gatherv", start_gatherv },
    { "scatterv", start_scatterv },
    { "all_to_allv", start_all_to_allv },
    { "scan", start_scan },
    { "exscan", start_exscan },
    { "barrier", start_barrier },
};

bench_start_fn bench_start_of(const bench_case *which)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(forms[i].name, which->name) == 0)
            return forms[i].start;
    return NULL;
}

muster_status bench_run(const bench_call *call)
{
    muster_request request;

    if (!call->start)
        return call->which->run(call);
    muster_status status = call->start(call, &request);
    return status == MUSTER_OK ? muster_wait(&request, 0) : status;
}
