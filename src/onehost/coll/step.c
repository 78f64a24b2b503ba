/*
 * Steps, and what is reached through them: the announcement of what a rank was asked to do, the
 * comparison with what the others were, slots (our piece of the staging ring for a step) and views.
 */
#include <stdio.h>
#include <string.h>

#include "shm/base/fault.h"
#include "shm/wait/activity.h"
#include "src/onehost/coll/coll.h"
#include "src/pure/dtype.h"
#include "src/pure/error.h"
#include "src/pure/partition.h"

void mst_copy(void *to, const void *from, size_t bytes)
{
    if (bytes && to != from)
        memcpy(to, from, bytes);
}

/* ---- what was asked ---- */

/* MLX's names where MLX has one. */
static void name_of(const mst_call_record *record, char *text, size_t bytes)
{
    uint32_t collective = record->collective;
    const char *name = collective < MST_COLLECTIVE_COUNT ? mst_shapes[collective].name : "?";
    const char *op = mst_op_name((muster_op)record->op);

    if (collective == MST_ALL_REDUCE && record->op != MUSTER_PROD)
        snprintf(text, bytes, "all_%s", op);
    else if (collective == MST_REDUCE_SCATTER && record->op == MUSTER_SUM)
        snprintf(text, bytes, "sum_scatter");
    else if (collective < MST_COLLECTIVE_COUNT && mst_shapes[collective].reduces)
        snprintf(text, bytes, "%s(%s)", name, op);
    else
        snprintf(text, bytes, "%s", name);
}

void mst_doing_name(const mst_doing *doing, char *text, size_t bytes)
{
    static const char *const names[] = { "send", "recv", "sendrecv", "split", "shrink", "grow" };
    mst_call_record record = { .collective = doing->kind, .op = doing->op };
    uint32_t which = doing->kind - MST_DOING_SEND;

    if (doing->kind < MST_COLLECTIVE_COUNT)
        name_of(&record, text, bytes);
    else
        snprintf(text, bytes, "%s", which < sizeof names / sizeof names[0] ? names[which] : "?");
}

void mst_request_describe(const mst_call_record *record, char *text, size_t bytes)
{
    const char *dtype = muster_dtype_name((muster_dtype)record->dtype);
    char name[40], root[24] = "";

    name_of(record, name, sizeof name);
    if (record->collective == MST_BARRIER) {
        snprintf(text, bytes, "%s", name);
        return;
    }
    if (record->root >= 0)
        snprintf(root, sizeof root, ", root %d", record->root);
    snprintf(text, bytes, "%s (%s x %llu%s)", name, dtype ? dtype : "?", (unsigned long long)record->count,
             root);
}

void mst_record_describe(const mst_call_record *record, char *text, size_t bytes)
{
    char request[100];

    mst_request_describe(record, request, sizeof request);
    snprintf(text, bytes, "%s, operation %llu", request, (unsigned long long)record->operation);
}

/* Field by field, straight into the arena: assembling it elsewhere and copying it in wider pieces would
 * wait until the stores before it are out, and those go to a line that the peers have. */
static void fill_record(mst_call_record *record, const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->collective];

    record->operation = call->operation;
    record->count = call->count;
    record->in_offset = call->in_offset;
    record->out_offset = call->out_offset;
    record->collective = call->collective;
    record->dtype = (uint32_t)call->dtype;
    record->op = shape->reduces ? (uint32_t)call->op : 0;
    record->root = shape->rooted ? call->root : -1;
}

static void describe_call(const void *arg, char *text, size_t bytes)
{
    mst_call_record record;

    fill_record(&record, arg);
    mst_record_describe(&record, text, bytes);
}

static void tell_entered(const mst_call *call)
{
    char text[140];

    describe_call(call, text, sizeof text);
    mst_log_line(mst_group_log(call->group), MUSTER_LOG_DEBUG, "%s, in a group of %d", text,
                 call->group->size);
}

void mst_call_show(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->collective];
    mst_doing doing = { .kind = call->collective,
                        .dtype = (uint32_t)call->dtype,
                        .op = shape->reduces ? (uint32_t)call->op : 0,
                        .peer = shape->rooted ? call->root : -1,
                        .count = call->count,
                        .operation = call->operation };

    mst_group_show(call->group, MST_ENTER_COLLECTIVE, call->group->operation, &doing);
    if (mst_log_wanted(mst_group_log(call->group), MUSTER_LOG_DEBUG))
        tell_entered(call);
}

/* Everything but the offsets, in one word; a count beyond it is looked up in the record. */
#define COUNT_PACKED_MAX ((1ULL << 44) - 1)

static uint64_t pack_request(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->collective];
    uint64_t count = call->count < COUNT_PACKED_MAX ? call->count : COUNT_PACKED_MAX;
    uint64_t root = shape->rooted ? (uint64_t)call->root : 0, op = shape->reduces ? (uint64_t)call->op : 0;

    return (uint64_t)call->collective | (uint64_t)call->dtype << 4 | op << 8 | root << 10 | count << 20;
}

/* ---- steps ---- */

static bool stalled(void *arg, int peer, int64_t slept_ns)
{
    mst_call *call = arg;
    mst_stall stall = { { peer, -1 }, slept_ns, describe_call, call, false };

    return mst_group_stalled(call->group, &stall);
}

static void lost(void *arg, int peer)
{
    const mst_call *call = arg;

    mst_group_lost(call->group, peer);
}

static void woke(void *arg)
{
    const mst_call *call = arg;

    mst_group_woke(call->group);
}

static bool may_rest(void *arg)
{
    const mst_call *call = arg;

    return mst_group_may_rest(call->group);
}

void mst_call_begin(mst_call *call)
{
    call->lane->waiter.watch = (mst_watch){ stalled, lost, woke, call, may_rest };
    mst_lane_begin(call->lane);
}

/* `worker`: for whom alone the rank waited; -1: for all. */
static muster_status step_failed(mst_call *call, mst_wait_result result, int worker)
{
    char doing[120], late[120];

    describe_call(call, doing, sizeof doing);
    if (worker < 0)
        mst_lane_list_missing(call->lane, late, sizeof late);
    else
        snprintf(late, sizeof late, "rank %d to work for all", worker);
    return mst_group_wait_failed(call->group, result, doing, late);
}

static bool same_request(const mst_call_record *a, const mst_call_record *b)
{
    return a->operation == b->operation && a->collective == b->collective && a->count == b->count &&
           a->dtype == b->dtype && a->op == b->op && a->root == b->root;
}

static muster_status mismatch(mst_call *call, int rank)
{
    const mst_call_record *records = call->group->records;
    char first[100], other[100];

    mst_request_describe(&records[0], first, sizeof first);
    mst_request_describe(&records[rank], other, sizeof other);
    return mst_group_poison(call->group, MST_POISON_MISMATCH,
                            "rank 0 called %s and rank %d called %s, as operation %llu of the group", first,
                            rank, other, (unsigned long long)call->operation);
}

/* Offsets are a peer's words: they must lie in that peer's own heap. */
static bool plausible(const mst_call *call, int rank, const mst_call_record *record)
{
    const mst_subarena *subarena = call->group->subarena;
    const mst_geometry *geometry = &subarena->attachment->geometry;
    uint32_t seat = subarena->shares[rank].seat;
    const mst_shape *shape = &mst_shapes[call->collective];

    return (record->in_offset == 0 ||
            mst_layout_heap_at(geometry, seat, record->in_offset, mst_call_bytes(call, shape->in, rank))) &&
           (record->out_offset == 0 ||
            mst_layout_heap_at(geometry, seat, record->out_offset, mst_call_bytes(call, shape->out, rank)));
}

/* The record of this operation in a rank's cell: beside the lane that it steps on. */
static mst_call_record *record_at(const mst_call *call, int rank)
{
    mst_cell *cell = call->group->subarena->cells[rank];

    if (call->lane->kind >= MST_LANE_STARTED)
        return &cell->started[call->lane->kind - MST_LANE_STARTED].calls[call->parity];
    return &cell->calls[call->parity];
}

static void copy_records(mst_call *call)
{
    for (int rank = 0; rank < call->group->size; rank++)
        call->group->records[rank] = *record_at(call, rank); /* E2: read once */
}

/* Every rank compares all with rank 0's, so that every rank finds the same two sides. */
static muster_status compare_records(mst_call *call)
{
    muster_group *group = call->group;

    copy_records(call);
    for (int rank = 1; rank < group->size; rank++)
        if (!same_request(&group->records[0], &group->records[rank]))
            return mismatch(call, rank);
    for (int rank = 0; rank < group->size; rank++)
        if (!plausible(call, rank, &group->records[rank]))
            return mst_group_poison(
                group, MST_POISON_DAMAGE,
                "rank %d says that its buffer is outside its region: the arena is damaged", rank);
    return MUSTER_OK;
}

/* Compares what all were asked to do. In short, from the lines that are here anyway, where that says
 * everything; else from the records. */
static muster_status compare_requests(mst_call *call, uint64_t request)
{
    bool same = !call->viewable && call->count < COUNT_PACKED_MAX;

    for (int rank = 0; rank < call->group->size && same; rank++)
        if (rank != call->group->rank) /* our own line is with the peers now */
            same = mst_lane_arrival(call->lane, rank)->request == request; /* E2: read once */
    return same ? MUSTER_OK : compare_records(call);
}

/* Says what this rank was asked to do; both are published by E2. */
static uint64_t announce(mst_call *call)
{
    uint64_t request = pack_request(call);

    mst_lane_next(call->lane)->request = request;
    fill_record(record_at(call, call->group->rank), call);
    return request;
}

void mst_call_arrive(mst_call *call)
{
    announce(call);
    mst_lane_arrive(call->lane);
}

muster_status mst_step(mst_call *call, size_t staged)
{
    bool first = !call->stepped;
    uint64_t request = 0;
    int missing;

    if (first)
        request = call->started ? pack_request(call) : announce(call);
    if (!first || !call->started)
        mst_lane_publish(call->lane);
    if (first && call->small)
        mst_call_show(call);
    if (call->in_line)
        mst_lane_prefetch_others(call->lane, staged);
    mst_wait_result result =
        call->pooled ? mst_pieces_meet(call->lane, &missing) : mst_lane_wait(call->lane, &missing);
    if (result != MST_WAIT_READY)
        return step_failed(call, result, -1);
    call->stepped = true;
    /* Who takes no piece of pooled work leaves it to those who do, unless it needs the records. */
    call->compared = !first || !call->pooled || call->viewable;
    if (call->in_line)
        mst_lane_prefetch(call->lane, staged);
    if (first)
        mst_group_arrived(call->group, MST_ENTER_COLLECTIVE, &call->lane->waiter);
    if (!call->started && !call->in_line)
        mst_staging_turn(&call->group->staging, call->part, staged);
    return first && call->compared ? compare_requests(call, request) : MUSTER_OK;
}

/* ---- work that is pooled ---- */

muster_status mst_pool(mst_call *call, int count, mst_piece_fn work, const void *arg)
{
    for (int piece = mst_pieces_take(call->lane, 0, count); piece < count;
         piece = mst_pieces_take(call->lane, piece + 1, count)) {
        if (!call->compared) {
            muster_status status = compare_requests(call, pack_request(call));
            if (status != MUSTER_OK)
                return status;
            call->compared = true;
        }
        if (work)
            work(call, arg, piece);
        mst_pieces_done(call->lane, piece);
    }
    return MUSTER_OK;
}

muster_status mst_pool_wait(mst_call *call, int piece, int *by)
{
    mst_wait_result result = mst_pieces_wait(call->lane, piece, by);

    if (result != MST_WAIT_READY)
        return step_failed(call, result, *by);
    if (*by < 0)
        return mst_group_poison(call->group, MST_POISON_DAMAGE,
                                "rank %d found that nobody works for operation %llu: the arena is damaged",
                                call->group->rank, (unsigned long long)call->operation);
    return MUSTER_OK;
}

/* ---- slots and views ---- */

size_t mst_slot_bytes(const mst_call *call)
{
    return mst_staging_piece_max(&call->group->staging, call->part);
}

unsigned char *mst_slot(const mst_call *call)
{
    if (call->in_line)
        return mst_lane_next(call->lane)->payload;
    return mst_staging_next(&call->group->staging, call->part);
}

/*
 * Storing to a line that peers have read takes their caches' answer, as long as their lines take to come to
 * us; asked for early enough, it has come before we store. An arrival in line is asked for as soon as all
 * have come, and the peers look at it only once they are through. What is staged comes later: whoever asked
 * for the arrival as early would lose it again to peers that look at it while we stage. Beyond some lines,
 * asking for them keeps us from reading the peers'.
 */
#define PREFETCH_BYTES_MAX 512

void mst_call_prefetch(const mst_call *call)
{
    size_t bytes = mst_call_bytes(call, mst_shapes[call->collective].in, call->group->rank);

    if (call->in_line || bytes > PREFETCH_BYTES_MAX)
        return;
    mst_lane_prefetch(call->lane, 0);
    mst_staging_prefetch(&call->group->staging, call->part, bytes);
}

const unsigned char *mst_peer_slot(const mst_call *call, int rank)
{
    if (call->in_line)
        return mst_lane_arrival(call->lane, rank)->payload;
    return mst_staging_last(&call->group->staging, call->part, rank);
}

unsigned char *mst_own_slot(const mst_call *call)
{
    if (call->in_line)
        return mst_lane_own(call->lane)->payload;
    return mst_staging_own(&call->group->staging, call->part);
}

static unsigned char *member_at(const muster_group *group, int rank, uint64_t offset)
{
    const mst_subarena *subarena = group->subarena;

    return mst_layout_at(&subarena->attachment->geometry, subarena->shares[rank].seat, offset);
}

const unsigned char *mst_view(const mst_call *call, int rank, size_t in_at, size_t slot_at)
{
    uint64_t offset = call->viewable ? call->group->records[rank].in_offset : 0;

    if (offset)
        return member_at(call->group, rank, offset + in_at);
    return mst_peer_slot(call, rank) + slot_at;
}

unsigned char *mst_view_out(const mst_call *call, int rank, size_t out_at)
{
    return member_at(call->group, rank, call->group->records[rank].out_offset + out_at);
}

bool mst_all_inputs_in_arena(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->collective];

    if (!call->viewable)
        return false;
    for (int rank = 0; rank < call->group->size; rank++)
        if (mst_call_blocks(call, shape->in, rank) && call->group->records[rank].in_offset == 0)
            return false;
    return true;
}

bool mst_all_outputs_in_arena(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->collective];

    if (!call->viewable)
        return false;
    for (int rank = 0; rank < call->group->size; rank++)
        if (mst_call_blocks(call, shape->out, rank) && call->group->records[rank].out_offset == 0)
            return false;
    return true;
}

bool mst_any_input_in_arena(const mst_call *call)
{
    for (int rank = 0; rank < call->group->size && call->viewable; rank++)
        if (call->group->records[rank].in_offset)
            return true;
    return false;
}

muster_status mst_step_if_arena(mst_call *call)
{
    /* What a started operation is read from belongs to the library, and stays as it is. */
    return mst_any_input_in_arena(call) && !call->started ? mst_step(call, 0) : MUSTER_OK;
}

#define SMALL_BYTES 2048 /* so many memcpy copies by vectors itself, and is called directly */

static void copy_through(const mst_call *call, void *to, const void *from, size_t bytes)
{
    if (bytes > SMALL_BYTES && to != from)
        call->group->kernels->copy(to, from, bytes);
    else
        mst_copy(to, from, bytes);
}

/* Inputs that no cache holds, which memcpy's `rep movs` reads faster than vectors do. */
static bool comes_from_memory(const mst_call *call)
{
    return mst_call_bytes(call, mst_shapes[call->collective].in, call->group->rank) >=
           call->group->tuning.stream_bytes_min;
}

void mst_stage(const mst_call *call, size_t at, const void *from, size_t bytes)
{
    mst_route *route = &call->group->staging_route;
    unsigned char *to = mst_slot(call) + at;

    mst_fault_point("slot.fill");
    if (mst_route_begin(route, bytes))
        call->group->kernels->stream(to, from, bytes);
    else if (bytes > SMALL_BYTES && comes_from_memory(call))
        mst_copy(to, from, bytes);
    else
        copy_through(call, to, from, bytes);
    mst_route_end(route, bytes);
}

bool mst_streams_out(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->collective];

    if (call->out_bytes < call->group->tuning.stream_bytes_min)
        return false;
    return !shape->reduces || !mst_overlap(call->in, mst_call_bytes(call, shape->in, call->group->rank),
                                           call->out, call->out_bytes);
}

void mst_deliver(const mst_call *call, size_t at, const void *from, size_t bytes)
{
    unsigned char *to = (unsigned char *)call->out + at;

    if (mst_streams_out(call) && to != from)
        call->group->kernels->stream(to, from, bytes);
    else
        copy_through(call, to, from, bytes);
}
