/* The table of collectives, and how a call is run. */
#include "src/onehost/coll/run.h"

#include <stdlib.h>

#include "src/onehost/coll/agree.h"
#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/help.h"
#include "src/onehost/coll/mixed.h"
#include "src/onehost/coll/one_copy.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/varied.h"
#include "src/onehost/coll/view.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/wait/broken.h"

const mst_method *const mst_methods[MST_COLLECTIVE_COUNT] = {
#define ROW(NAME, name, ...) [MST_##NAME] = &mst_method_##name,
    MST_COLLECTIVES(ROW)
#undef ROW
};

/* ---- choosing how data is exchanged ---- */

/* The arena offset of a buffer that peers should read without a copy; 0: it is staged. */
static uint64_t arena_offset(const mst_call *call, const void *buffer, size_t bytes, size_t view_bytes_min)
{
    if (bytes < view_bytes_min)
        return 0;
    return mst_group_heap_offset(call->group, buffer, bytes);
}

/* The maximum that any rank has in such a buffer: the root, or the last rank where only later ones have one.
 */
static size_t most_bytes_of(const mst_call *call, mst_span span)
{
    return mst_call_bytes(call, span, span == SPAN_LATER ? call->group->base.size - 1 : call->request->root);
}

/* What a rank stages of so many bytes of input: of blocks for all ranks, those of the others. */
static size_t staged_of(const mst_call *call, mst_span span, size_t bytes)
{
    size_t size = (size_t)call->group->base.size;

    return span == SPAN_ALL || span == SPAN_ROOT_ALL ? bytes / size * (size - 1) : bytes;
}

static bool is_shared(const mst_call *call, size_t in_bytes)
{
    const mst_tuning *tuning = &call->group->tuning;
    mst_sharing sharing = mst_methods[call->request->collective]->sharing;

    return tuning->shared && !call->plan.assembled &&
           (sharing == MST_SHARED_ALWAYS ||
            (sharing == MST_SHARED_IF_LARGE && in_bytes > tuning->whole_bytes_max));
}

static size_t view_bytes_min(const mst_call *call, size_t in_bytes)
{
    const mst_tuning *tuning = &call->group->tuning;

    return call->plan.shared && in_bytes <= tuning->shared_view_bytes_max ? tuning->shared_view_bytes_min
                                                                          : tuning->view_bytes_min;
}

/* Decides, equally on every rank, whether data is in the arrivals' payload, in slots, or read without a
 * copy. */
static void choose_places(mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->request->collective];
    size_t in_bytes = most_bytes_of(call, shape->in), out_bytes = most_bytes_of(call, shape->out);

    mst_combine_plan(call);
    call->plan.in_bytes = mst_call_bytes(call, shape->in, call->group->base.rank);
    call->plan.out_bytes = mst_call_bytes(call, shape->out, call->group->base.rank);
    size_t staged = staged_of(call, shape->in, in_bytes);
    call->plan.in_line = staged <= call->group->tuning.payload_bytes_max && !call->plan.assembled;
    call->plan.shared = is_shared(call, in_bytes);
    /* A slot also contains results of reductions; those of shared work overwrite the inputs. */
    bool is_small = (call->plan.shared ? staged : 2 * staged) <= mst_staging_small_max(&call->group->staging);
    call->plan.small = call->plan.in_line || is_small;
    call->plan.part = is_small ? MST_STAGING_SMALL : MST_STAGING_RING;
    call->plan.one_copy = mst_one_copy_wanted(call);
    size_t least = call->plan.one_copy ? 1 : view_bytes_min(call, in_bytes);
    call->plan.viewable = in_bytes >= least || out_bytes >= least;
    if (call->plan.viewable) {
        call->in_offset = arena_offset(call, call->request->in, call->plan.in_bytes, least);
        call->out_offset = arena_offset(call, call->request->out, call->plan.out_bytes, least);
    }
    if (call->plan.one_copy)
        mst_one_copy_lend(call);
    call->plan.request = mst_request_packed(call);
    /* Whether buffers are in the arena may change from call to call. */
    call->repeatable = !call->plan.viewable && !call->request->unusual;
    call->brief = call->repeatable && call->plan.in_line && !call->plan.shared;
}

/* With counts by rank, of which mst_varied_prepare has made the plan. */
static void choose_varied(mst_call *call)
{
    call->repeatable = call->plan.made && call->group->subarena->staged;
    call->brief = call->repeatable && call->plan.in_line && call->request->elements < MST_COUNT_PACKED_MAX;
}

/* ---- running ---- */

static muster_status move_once(mst_call *call)
{
    bool done = false;

    muster_status status = mst_one_copy(call, &done);
    return status == MUSTER_OK && !done ? mst_methods[call->request->collective]->run(call) : status;
}

static void choose_move(mst_call *call)
{
    bool moves = call->request->count || mst_shapes[call->request->collective].varied;

    call->move = !moves                ? mst_round_empty
                 : call->plan.one_copy ? move_once
                                       : mst_methods[call->request->collective]->run;
}

static muster_status begin_large(mst_call *call)
{
    mst_call_show(call);
    return call->group->subarena->staged ? MUSTER_OK : mst_round_for_staging(call);
}

bool mst_call_init(mst_group *group)
{
    group->call = calloc(1, sizeof *group->call);
    return group->call;
}

/* In two levels a rank waits for its leader, say, while it is another one that has not come. */
static void find_peers(const void *arg, int peers[2])
{
    const mst_call *call = arg;
    int missing = call->sequence->hierarchy ? mst_sequence_first_missing(call->sequence) : -1;

    if (missing < 0 || missing == peers[0])
        return;
    if (peers[0] >= 0 && !mst_sequence_has_arrived(call->sequence, peers[0]))
        peers[1] = peers[0]; /* it must come, too */
    peers[0] = missing;
}

void mst_call_begin(mst_call *call, mst_group *group, const mst_request *request)
{
    static const mst_wait_kind kind = { .describe = mst_call_describe,
                                        .find_peers = find_peers,
                                        .look = mst_call_look_for_started,
                                        .may_rest = true };

    *call = (mst_call){
        .request = request, .group = group, .sequence = &group->collectives, .team = mst_call_team(group)
    };
    call->waiting = (mst_waiting){ &kind, group, call };
    group->collectives.waiter.watch = mst_waiting_watch(&call->waiting);
}

static void repeat(mst_call *call, const mst_request *request)
{
    call->request = request;
    call->repeats++;
    call->met = call->views = call->compared = false;
}

static void number(mst_call *call)
{
    mst_group *group = call->group;

    group->collectives.waiter.deadline.limit_ns = group->base.timeout_ns;
    mst_sequence_begin(&group->collectives);
    call->operation = ++group->operation;
    call->parity =
        ++group->collectives.operations & 1; /* not of call->operation, which counts started ones, too */
}

/* A planned call. */
static inline muster_status run(mst_call *call)
{
    number(call);
    muster_status status = call->shows_later ? MUSTER_OK : begin_large(call);
    if (status == MUSTER_OK)
        status = call->move(call);
    if (status == MUSTER_OK && call->plan.small && call->plan.in_bytes > MST_FEW_BYTES &&
        call->plan.in_bytes <= MST_PREFETCH_BYTES_MAX)
        mst_call_prefetch(call, call->plan.in_bytes);
    return status;
}

/* A small call is shown while the others' lines arrive, and its slots are always there. With counts by rank
 * no rank knows whether another one's part is large. */
static __attribute__((noinline)) muster_status run_new(mst_call *call, mst_group *group,
                                                       const mst_request *request)
{
    bool varied = mst_shapes[request->collective].varied;

    mst_call_begin(call, group, request);
    if (group->base.size == 1) {
        mst_call_alone(call);
        return MUSTER_OK;
    }
    if (varied && !mst_varied_prepare(call)) /* before the operation has a number: the others have not */
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for the counts of %d ranks", group->base.size);
    if (!varied)
        choose_places(call);
    else
        choose_varied(call);
    choose_move(call);
    call->shows_later = call->plan.small && (!varied || group->subarena->staged);
    return run(call);
}

void mst_call_alone(const mst_call *call)
{
    const mst_request *request = call->request;

    if (mst_shapes[request->collective].varied)
        mst_varied_alone(call);
    else
        mst_combine_alone(call, request->out, request->in,
                          mst_call_bytes(call, mst_shapes[request->collective].out, 0));
}

void mst_call_end(const mst_call *call)
{
    if (!mst_group_injects(call->group))
        return;

    const mst_request *request = call->request;
    const mst_shape *shape = &mst_shapes[request->collective];
    size_t bytes = mst_call_bytes(call, shape->out, call->group->base.rank);
    void *result = shape->varied ? mst_varied_result(call, &bytes) : request->out;

    mst_group_end(call->group, result, bytes);
}

muster_status mst_call_run(muster_group *of, const mst_request *request)
{
    mst_group *group = mst_group_of(of);
    mst_call *call = group->call;

    muster_status status = mst_group_ready(group, MUSTER_CALL_COLLECTIVE);
    if (status != MUSTER_OK) {
        call->repeatable = group->plan.made = false; /* src/api has noted this request as the latest */
        return mst_request_failed(request, status);
    }
    mst_group_begin(group);
    if (request->repeated && call->repeatable) {
        repeat(call, request);
        status = run(call);
    } else {
        status = run_new(call, group, request);
    }
    if (status == MUSTER_OK)
        mst_call_end(call);
    else
        mst_request_failed(request, status);
    mst_group_shown(group, MUSTER_CALL_COLLECTIVE);
    return status;
}
