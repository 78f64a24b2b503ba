/* Carries out actions, for run.h. */
#include "src/hosts/run.h"

#include <stdlib.h>
#include <string.h>

#include "src/hosts/broken.h"
#include "src/pure/dtype.h"

static muster_status refuse_memory(void)
{
    return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a collective over several hosts");
}

/* A place for one more request. */
static muster_request *add_request(mst_run *run, int peer)
{
    if (run->request_count == run->request_room) {
        size_t room = run->request_room ? 2 * run->request_room : 16;
        muster_request *requests = realloc(run->requests, room * sizeof *requests);
        int *peers = requests ? realloc(run->peers, room * sizeof *peers) : NULL;

        if (requests)
            run->requests = requests;
        if (!peers)
            return NULL;
        run->peers = peers;
        run->request_room = room;
    }
    run->peers[run->request_count] = peer;
    run->requests[run->request_count] = (muster_request)MUSTER_REQUEST_INIT;
    return &run->requests[run->request_count++];
}

static muster_status start_here(mst_run *run, const mst_action *action, muster_request *request)
{
    muster_group *local = run->group->local;

    /* Once all have come, a rank of this host may wait for another host. */
    local->started_limit_ns =
        run->limit_ns && run->fenced ? run->limit_ns + 2 * mst_hosts_grace_ns(run->limit_ns) : run->limit_ns;
    if (action->kind == MST_GATHER_HERE)
        return muster_all_gatherv_start(action->from, action->bytes, action->to, action->out_counts,
                                        action->out_at, MUSTER_UINT8, local, request);
    if (action->kind == MST_EXCHANGE_HERE)
        return muster_all_to_allv_start(action->from, action->in_counts, action->in_at, action->to,
                                        action->out_counts, action->out_at, MUSTER_UINT8, local, request);
    return muster_broadcast_start(action->from, action->to, action->bytes, MUSTER_UINT8, action->peer, local,
                                  request);
}

static muster_status start(mst_run *run, const mst_action *action)
{
    mst_link *link = run->group->link;
    bool transfers = action->kind == MST_SEND || action->kind == MST_RECEIVE;
    muster_request *request = add_request(run, transfers ? action->peer : -1);

    if (!request)
        return refuse_memory();
    if (action->kind == MST_SEND) {
        if (run->group->places.host[action->peer] != run->group->places.own_host)
            link->bytes_sent += action->bytes;
        return link->methods->send(link, action->peer, MST_LINK_COLLECTIVES, action->from, action->bytes,
                                   request);
    }
    if (action->kind == MST_RECEIVE)
        return link->methods->receive(link, action->peer, MST_LINK_COLLECTIVES, action->to, action->bytes,
                                      request);
    return start_here(run, action, request);
}

/* What the program's function gets: the operand, or a copy that is aligned as it may expect. */
static const void *align(const void *operand, void *copy, size_t bytes)
{
    return (uintptr_t)operand % MST_NUMBER_BYTES_MAX == 0 ? operand : memcpy(copy, operand, bytes);
}

/* The program's function writes to its first operand, which must be no other one. */
static muster_status apply(mst_run *run, const mst_action *action)
{
    const mst_request *request = &run->request;
    const mst_made_op *made = request->made;
    size_t bytes = action->bytes * request->element_bytes;
    void *result = malloc(bytes), *copy = malloc(bytes);

    muster_group *whole = run->group->world->whole;
    if (result && copy) {
        memcpy(result, action->sources[0], bytes);
        whole->backend->in_program(whole, true);
        for (int i = 1; i < action->peer; i++)
            made->fn(result, align(action->sources[i], copy, bytes), action->bytes, request->dtype,
                     made->arg);
        whole->backend->in_program(whole, false);
        memcpy(action->to, result, bytes);
    }
    bool done = result && copy;
    free(result);
    free(copy);
    return done ? MUSTER_OK : refuse_memory();
}

typedef float f32 __attribute__((aligned(1), may_alias));
typedef double f64 __attribute__((aligned(1), may_alias));

/* As the kernels do: both parts of a complex number. */
static void divide(void *sums, size_t bytes, muster_dtype dtype, int by)
{
    bool wide = dtype == MUSTER_FLOAT64 || dtype == MUSTER_COMPLEX128;
    f32 *single = sums;
    f64 *twice = sums;

    for (size_t i = 0; wide && i < bytes / sizeof *twice; i++)
        twice[i] /= by;
    for (size_t i = 0; !wide && i < bytes / sizeof *single; i++)
        single[i] /= (float)by;
}

static muster_status reduce(mst_run *run, const mst_action *action)
{
    const mst_request *request = &run->request;
    const mst_kernels *kernels = run->group->world->kernels;
    bool sums = request->op == MUSTER_AVG && action->kind != MST_REDUCE_ALL;

    if (!action->bytes || !action->peer)
        return MUSTER_OK;
    if (request->made && request->made->fn)
        return apply(run, action);
    if (request->made)
        kernels->reduce_scaled[request->dtype](action->to, action->sources, run->records[0].factor,
                                               sizeof run->records[0], action->peer, action->bytes);
    else
        kernels->reduce[request->dtype][sums ? MUSTER_SUM : request->op](action->to, action->sources,
                                                                         action->peer, action->bytes);
    if (sums && action->kind == MST_REDUCE_LAST)
        divide(action->to, action->bytes * request->element_bytes, request->dtype, run->group->base.size);
    return MUSTER_OK;
}

static muster_status carry_out(mst_run *run, const mst_action *action)
{
    switch (action->kind) {
    case MST_COPY:
        memmove(action->to, action->from, action->bytes);
        return MUSTER_OK;
    case MST_REDUCE_ALL:
    case MST_REDUCE_PART:
    case MST_REDUCE_LAST:
        return reduce(run, action);
    case MST_CALL:
        return action->plan(run); /* which may move the list of actions */
    default:
        return start(run, action);
    }
}

/* *all: whether all that was started is over. */
static muster_status look(mst_run *run, bool *all)
{
    mst_link *link = run->group->link;

    *all = true;
    for (size_t i = 0; i < run->request_count; i++) {
        bool over = true;
        muster_status status = MUSTER_OK;

        if (run->requests[i].group)
            status = run->peers[i] >= 0 ? link->methods->test(link, &run->requests[i], &over)
                                        : muster_test(&run->requests[i], &over);
        if (status == MUSTER_ERR_BUSY)
            over = false;
        else if (status != MUSTER_OK)
            return status;
        *all = *all && over;
    }
    return MUSTER_OK;
}

void mst_run_fail(mst_run *run, muster_status status)
{
    char doing[160];

    if (run->over)
        return;
    mst_run_describe(run, doing, sizeof doing);
    run->status = mst_hosts_failed(run->group, status, doing);
    mst_error_keep(&run->error);
    mst_hosts_end(run->group, run->group->link, run->requests, run->request_count); /* before buffers go */
    run->request_count = 0;
    run->over = true;
}

bool mst_run_advance(mst_run *run)
{
    muster_status status = MUSTER_OK;
    bool all = true;

    while (!run->over) {
        status = look(run, &all);
        if (status != MUSTER_OK || !all)
            break;
        run->request_count = 0;
        while (status == MUSTER_OK && run->next_action < run->action_count) {
            mst_action action = run->actions[run->next_action++];

            if (action.kind == MST_FENCE) {
                run->fenced = true;
                break;
            }
            status = carry_out(run, &action);
        }
        if (status != MUSTER_OK)
            break;
        run->over = run->next_action == run->action_count && run->request_count == 0;
    }
    if (status != MUSTER_OK)
        mst_run_fail(run, status);
    return run->over;
}
