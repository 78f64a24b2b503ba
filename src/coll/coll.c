/* Checking, entering and stepping of coll.h. */
#include "src/coll/coll.h"

#include <stdio.h>
#include <string.h>

#include "shm/atomic.h"
#include "shm/error.h"
#include "shm/staging.h"
#include "src/dtype.h"
#include "src/partition.h"

typedef struct shape {
    const char *name;
    mst_span in, out;
    bool rooted, reduces, in_place;
} shape;

static const shape shapes[MST_COLLECTIVE_COUNT] = {
#define ROW(NAME, name, in, out, rooted, reduces, in_place)                                                  \
    [MST_##NAME] = { #name, in, out, rooted, reduces, in_place },
    MST_COLLECTIVES(ROW)
#undef ROW
};

const mst_transport mst_transport_shm = {
    "shm",
    {
#define ROW(NAME, name, ...) [MST_##NAME] = mst_coll_##name,
        MST_COLLECTIVES(ROW)
#undef ROW
    },
};

/* memcpy that allows NULL for nothing, and source == destination. */
static void copy(void *to, const void *from, size_t bytes)
{
    if (bytes && to != from)
        memcpy(to, from, bytes);
}

/* ---- what was asked ---- */

/* MLX's names where MLX has one. */
static void name_of(const mst_call_record *record, char *text, size_t bytes)
{
    uint32_t collective = record->collective;
    const char *name = collective < MST_COLLECTIVE_COUNT ? shapes[collective].name : "?";
    const char *op = mst_op_name((muster_op)record->op);

    if (collective == MST_ALL_REDUCE && record->op != MUSTER_PROD)
        snprintf(text, bytes, "all_%s", op);
    else if (collective == MST_REDUCE_SCATTER && record->op == MUSTER_SUM)
        snprintf(text, bytes, "sum_scatter");
    else if (collective < MST_COLLECTIVE_COUNT && shapes[collective].reduces)
        snprintf(text, bytes, "%s(%s)", name, op);
    else
        snprintf(text, bytes, "%s", name);
}

/* "all_sum (float32 x 4096)" */
static void describe_request(const mst_call_record *record, char *text, size_t bytes)
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

    describe_request(record, request, sizeof request);
    snprintf(text, bytes, "%s, operation %llu", request, (unsigned long long)record->operation);
}

/* Field by field, straight into the arena: assembling it elsewhere and copying it in wider pieces would
 * wait until the stores before it are out, and those go to a line that the peers have. */
static void fill_record(mst_call_record *record, const mst_call *call)
{
    const shape *shape = &shapes[call->collective];

    record->operation = call->group->operation;
    record->count = call->count;
    record->in_offset = call->in_offset;
    record->out_offset = call->out_offset;
    record->collective = call->collective;
    record->dtype = (uint32_t)call->dtype;
    record->op = shape->reduces ? (uint32_t)call->op : 0;
    record->root = shape->rooted ? call->root : -1;
}

/* ---- checking ---- */

/* Everything but the offsets, in one word; a count beyond it is looked up in the record. */
#define COUNT_PACKED_MAX ((1ULL << 44) - 1)

static uint64_t pack_request(const mst_call *call)
{
    const shape *shape = &shapes[call->collective];
    uint64_t count = call->count < COUNT_PACKED_MAX ? call->count : COUNT_PACKED_MAX;
    uint64_t root = shape->rooted ? (uint64_t)call->root : 0, op = shape->reduces ? (uint64_t)call->op : 0;

    return (uint64_t)call->collective | (uint64_t)call->dtype << 4 | op << 8 | root << 10 | count << 20;
}

static size_t blocks_of(const mst_call *call, mst_span span, int rank)
{
    size_t all = (size_t)call->group->size;

    switch (span) {
    case SPAN_ONE:
        return 1;
    case SPAN_ALL:
        return all;
    case SPAN_ROOT_ONE:
        return rank == call->root ? 1 : 0;
    case SPAN_ROOT_ALL:
        return rank == call->root ? all : 0;
    case SPAN_NONE:
        break;
    }
    return 0;
}

static size_t bytes_of(const mst_call *call, mst_span span, int rank)
{
    return blocks_of(call, span, rank) * call->count * call->element_bytes;
}

static muster_status check_values(const mst_call *call)
{
    const shape *shape = &shapes[call->collective];
    size_t unused;

    if (!mst_dtype_valid(call->dtype))
        return mst_fail(MUSTER_ERR_INVALID, "%s: %d is no dtype; expected MUSTER_BOOL ... MUSTER_COMPLEX64",
                        shape->name, (int)call->dtype);
    if (shape->reduces && !mst_op_valid(call->op))
        return mst_fail(MUSTER_ERR_INVALID, "%s: %d is no op; expected MUSTER_SUM, PROD, MAX or MIN",
                        shape->name, (int)call->op);
    if (shape->rooted && (call->root < 0 || call->root >= call->group->size))
        return mst_fail(MUSTER_ERR_INVALID, "%s: root %d is not a rank of a group of %d", shape->name,
                        call->root, call->group->size);
    if (!mst_multiply(call->count, call->element_bytes, (size_t)call->group->size, &unused) ||
        unused > PTRDIFF_MAX)
        return mst_fail(MUSTER_ERR_INVALID,
                        "%s: %zu elements of %s for %d ranks are more bytes than memory "
                        "can have",
                        shape->name, call->count, muster_dtype_name(call->dtype), call->group->size);
    return MUSTER_OK;
}

/* Where the smaller buffer would lie in the larger one, were the call in place. */
static bool is_in_place(const mst_call *call, size_t in_blocks, size_t out_blocks)
{
    size_t own_part = (size_t)call->group->rank * call->count * call->element_bytes;
    const char *in = call->in, *out = call->out;

    if (!shapes[call->collective].in_place)
        return false;
    if (in_blocks < out_blocks)
        return in == out + own_part;
    if (in_blocks > out_blocks)
        return out == in + own_part;
    return in == out;
}

static muster_status check_buffers(const mst_call *call)
{
    const shape *shape = &shapes[call->collective];
    int rank = call->group->rank;
    size_t in_bytes = bytes_of(call, shape->in, rank), out_bytes = bytes_of(call, shape->out, rank);

    if ((in_bytes && !call->in) || (out_bytes && !call->out))
        return mst_fail(MUSTER_ERR_INVALID, "%s: the %s buffer is NULL and should hold %zu bytes",
                        shape->name, in_bytes && !call->in ? "in" : "out",
                        in_bytes && !call->in ? in_bytes : out_bytes);
    if (mst_overlap(call->in, in_bytes, call->out, out_bytes) &&
        !is_in_place(call, blocks_of(call, shape->in, rank), blocks_of(call, shape->out, rank)))
        return mst_fail(MUSTER_ERR_INVALID, "%s: the in and out buffers overlap; expected separate buffers%s",
                        shape->name,
                        !shape->in_place ? ""
                        : shape->in == shape->out || shape->in == SPAN_ROOT_ONE || shape->out == SPAN_ROOT_ONE
                            ? ", or in == out"
                            : ", or this rank's part at base + rank x count of the larger one");
    return MUSTER_OK;
}

/* The arena offset of a buffer in our heap that peers should read in place; 0: let it be staged. */
static uint64_t arena_offset(const mst_call *call, const void *buffer, size_t bytes)
{
    const mst_attachment *attachment = call->group->subarena->attachment;
    const mst_geometry *geometry = &attachment->geometry;
    uint64_t offset = (uint64_t)((uintptr_t)buffer - (uintptr_t)geometry->base);

    if (bytes < call->group->tuning.view_bytes_min || offset >= geometry->arena_bytes)
        return 0;
    return mst_layout_heap_at(geometry, attachment->rank, offset, bytes) ? offset : 0;
}

/* The most that any rank has in such a buffer. */
static size_t most_bytes_of(const mst_call *call, mst_span span)
{
    return bytes_of(call, span, call->root);
}

/* Decides, alike on every rank, whether data travels beside the flags, by the slots, or not at all. */
static void choose_places(mst_call *call)
{
    const shape *shape = &shapes[call->collective];
    size_t in_bytes = most_bytes_of(call, shape->in), out_bytes = most_bytes_of(call, shape->out);
    size_t view_bytes_min = call->group->tuning.view_bytes_min;

    call->out_bytes = bytes_of(call, shape->out, call->group->rank);
    call->in_line = in_bytes <= MST_PAYLOAD_BYTES;
    call->viewable = in_bytes >= view_bytes_min || out_bytes >= view_bytes_min;
    if (call->viewable) {
        call->in_offset = arena_offset(call, call->in, bytes_of(call, shape->in, call->group->rank));
        call->out_offset = arena_offset(call, call->out, bytes_of(call, shape->out, call->group->rank));
    }
}

/* ---- running ---- */

static muster_status run(mst_call *call)
{
    const shape *shape = &shapes[call->collective];
    muster_group *group = call->group;

    if (group->size == 1) {
        copy(call->out, call->in, bytes_of(call, shape->out, group->rank));
        return MUSTER_OK;
    }
    group->operation++;
    mst_lane_begin(&group->steps);
    choose_places(call);
    /* Nothing to move: what remains is to arrive, wait and compare. */
    return group->transport->collectives[call->count ? call->collective : MST_BARRIER](call);
}

muster_status mst_collective_run(mst_call call)
{
    muster_status status = mst_group_enter(call.group, MST_ENTER_COLLECTIVE);

    if (status != MUSTER_OK)
        return status;
    call.element_bytes = muster_dtype_size(call.dtype);
    status = check_values(&call);
    if (status == MUSTER_OK)
        status = check_buffers(&call);
    if (status == MUSTER_OK)
        status = run(&call);
    mst_group_leave(call.group, MST_ENTER_COLLECTIVE);
    return status;
}

/* ---- steps ---- */

static muster_status step_failed(mst_call *call, mst_wait_result result)
{
    muster_group *group = call->group;
    mst_call_record record;
    char doing[120], late[120];
    size_t used = (size_t)snprintf(late, sizeof late, "rank(s)");

    fill_record(&record, call);
    mst_record_describe(&record, doing, sizeof doing);
    for (int rank = 0; rank < group->size && used + 8 < sizeof late; rank++)
        if (!mst_lane_has_arrived(&group->steps, rank))
            used += (size_t)snprintf(late + used, sizeof late - used, " %d", rank);
    return mst_group_wait_failed(group, result, doing, late);
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

    describe_request(&records[0], first, sizeof first);
    describe_request(&records[rank], other, sizeof other);
    return mst_group_poison(call->group, MST_POISON_MISMATCH,
                            "rank 0 called %s and rank %d called %s, as operation %llu of the group", first,
                            rank, other, (unsigned long long)call->group->operation);
}

/* Offsets are a peer's words: they must lie in that peer's own heap. */
static bool plausible(const mst_call *call, int rank, const mst_call_record *record)
{
    const mst_subarena *subarena = call->group->subarena;
    const mst_geometry *geometry = &subarena->attachment->geometry;
    uint32_t world_rank = subarena->shares[rank].world_rank;
    const shape *shape = &shapes[call->collective];

    return (record->in_offset == 0 ||
            mst_layout_heap_at(geometry, world_rank, record->in_offset, bytes_of(call, shape->in, rank))) &&
           (record->out_offset == 0 ||
            mst_layout_heap_at(geometry, world_rank, record->out_offset, bytes_of(call, shape->out, rank)));
}

static void copy_records(mst_call *call)
{
    muster_group *group = call->group;

    for (int rank = 0; rank < group->size; rank++)
        group->records[rank] = group->subarena->cells[rank]->calls[group->operation & 1]; /* E2: read once */
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
            same = mst_lane_arrival(&call->group->steps, rank)->request == request; /* E2: read once */
    return same ? MUSTER_OK : compare_records(call);
}

muster_status mst_step(mst_call *call)
{
    muster_group *group = call->group;
    uint64_t request = 0;
    int missing;

    if (!call->stepped) {
        request = pack_request(call);
        mst_lane_next(&group->steps)->request = request; /* both are published by E2 */
        fill_record(&group->subarena->cells[group->rank]->calls[group->operation & 1], call);
    }
    mst_wait_result result = mst_lane_step(&group->steps, &missing);
    if (result != MST_WAIT_READY)
        return step_failed(call, result);
    if (call->stepped)
        return MUSTER_OK;
    call->stepped = true;
    return compare_requests(call, request);
}

/* ---- slots and views ---- */

size_t mst_slot_bytes(const mst_call *call)
{
    return mst_staging_slot_bytes(call->group->subarena);
}

unsigned char *mst_slot(const mst_call *call)
{
    if (call->in_line)
        return mst_lane_next(&call->group->steps)->payload;
    return mst_staging_slot(call->group->subarena, call->group->rank, call->group->steps.step + 1);
}

const unsigned char *mst_peer_slot(const mst_call *call, int rank)
{
    if (call->in_line)
        return mst_lane_arrival(&call->group->steps, rank)->payload;
    return mst_staging_slot(call->group->subarena, rank, call->group->steps.step);
}

const unsigned char *mst_view(const mst_call *call, int rank, size_t in_at, size_t slot_at)
{
    uint64_t offset = call->viewable ? call->group->records[rank].in_offset : 0;

    if (offset)
        return call->group->subarena->attachment->geometry.base + offset + in_at;
    return mst_peer_slot(call, rank) + slot_at;
}

unsigned char *mst_view_out(const mst_call *call, int rank, size_t out_at)
{
    return call->group->subarena->attachment->geometry.base + call->group->records[rank].out_offset + out_at;
}

bool mst_all_inputs_in_arena(const mst_call *call)
{
    const shape *shape = &shapes[call->collective];

    if (!call->viewable)
        return false;
    for (int rank = 0; rank < call->group->size; rank++)
        if (blocks_of(call, shape->in, rank) && call->group->records[rank].in_offset == 0)
            return false;
    return true;
}

bool mst_all_outputs_in_arena(const mst_call *call)
{
    const shape *shape = &shapes[call->collective];

    if (!call->viewable)
        return false;
    for (int rank = 0; rank < call->group->size; rank++)
        if (blocks_of(call, shape->out, rank) && call->group->records[rank].out_offset == 0)
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
    return mst_any_input_in_arena(call) ? mst_step(call) : MUSTER_OK;
}

void mst_stage(const mst_call *call, size_t at, const void *from, size_t bytes)
{
    unsigned char *to = mst_slot(call) + at;

    if (bytes >= call->group->tuning.stream_in_bytes)
        call->group->kernels->stream(to, from, bytes);
    else
        copy(to, from, bytes);
}

bool mst_streams_out(const mst_call *call)
{
    return call->out_bytes >= call->group->tuning.stream_out_bytes && call->in != call->out;
}

void mst_deliver(const mst_call *call, size_t at, const void *from, size_t bytes)
{
    unsigned char *to = (unsigned char *)call->out + at;

    if (mst_streams_out(call) && to != from)
        call->group->kernels->stream(to, from, bytes);
    else
        copy(to, from, bytes);
}
