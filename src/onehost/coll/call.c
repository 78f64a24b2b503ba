/* The table of collectives, and checking, entering and running of call.h. */
#include "src/onehost/coll/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shm/wait/activity.h"
#include "src/onehost/coll/describe.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/view.h"
#include "src/pure/dtype.h"
#include "src/pure/error.h"
#include "src/pure/partition.h"

const mst_transport mst_transport_shm = {
    "shm",
    {
#define ROW(NAME, name, ...) [MST_##NAME] = mst_coll_##name,
        MST_COLLECTIVES(ROW)
#undef ROW
    },
};

/* ---- checking ---- */

size_t mst_call_blocks(const mst_call *call, mst_span span, int rank)
{
    return mst_span_blocks(span, call->root, rank, call->group->size);
}

size_t mst_call_bytes(const mst_call *call, mst_span span, int rank)
{
    return mst_call_blocks(call, span, rank) * call->count * call->element_bytes;
}

static muster_status refuse(const mst_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* By the name that the caller knows: all_reduce's sum is all_sum. */
static muster_status refuse(const mst_call *call, const char *format, ...)
{
    char name[40], why[300];
    va_list args;

    mst_collective_name(call->collective, call->op, name, sizeof name);
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return mst_fail(MUSTER_ERR_INVALID, "%s: %s", name, why);
}

static muster_status check_values(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->collective];
    size_t unused;

    if (!mst_dtype_valid(call->dtype))
        return refuse(call, "%d is no dtype; expected MUSTER_BOOL ... MUSTER_COMPLEX64", (int)call->dtype);
    if (shape->reduces && !mst_op_valid(call->op))
        return refuse(call, "%d is no op; expected MUSTER_SUM, PROD, MAX or MIN", (int)call->op);
    if (shape->rooted && (call->root < 0 || call->root >= call->group->size))
        return refuse(call, "root %d is not a rank of a group of %d", call->root, call->group->size);
    if (!mst_multiply(call->count, call->element_bytes, (size_t)call->group->size, &unused) ||
        unused > PTRDIFF_MAX)
        return refuse(
            call, "%zu elements of %s for each member of a group of %d are more bytes than memory can have",
            call->count, muster_dtype_name(call->dtype), call->group->size);
    return MUSTER_OK;
}

/* Where the smaller buffer would lie in the larger one, were the call in place. */
static bool is_in_place(const mst_call *call, size_t in_blocks, size_t out_blocks)
{
    size_t own_part = (size_t)call->group->rank * call->count * call->element_bytes;
    const char *in = call->in, *out = call->out;

    if (!mst_shapes[call->collective].in_place)
        return false;
    if (in_blocks < out_blocks)
        return in == out + own_part;
    if (in_blocks > out_blocks)
        return out == in + own_part;
    return in == out;
}

static muster_status check_buffers(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->collective];
    int rank = call->group->rank;
    size_t in_bytes = mst_call_bytes(call, shape->in, rank),
           out_bytes = mst_call_bytes(call, shape->out, rank);
    if ((in_bytes && !call->in) || (out_bytes && !call->out))
        return refuse(call, "the %s buffer is NULL and should hold %zu bytes",
                      in_bytes && !call->in ? "in" : "out", in_bytes && !call->in ? in_bytes : out_bytes);
    if (mst_overlap(call->in, in_bytes, call->out, out_bytes) &&
        !is_in_place(call, mst_call_blocks(call, shape->in, rank), mst_call_blocks(call, shape->out, rank)))
        return refuse(call, "the in and out buffers overlap; expected separate buffers%s",
                      !shape->in_place ? ""
                      : shape->in == shape->out || shape->in == SPAN_ROOT_ONE || shape->out == SPAN_ROOT_ONE
                          ? ", or in == out"
                          : ", or this rank's part at base + rank x count of the larger one");
    return MUSTER_OK;
}

/* The arena offset of a buffer that peers should read in place; 0: let it be staged. */
static uint64_t arena_offset(const mst_call *call, const void *buffer, size_t bytes, size_t view_bytes_min)
{
    if (bytes < view_bytes_min)
        return 0;
    return mst_group_heap_offset(call->group, buffer, bytes);
}

/* The most that any rank has in such a buffer. */
static size_t most_bytes_of(const mst_call *call, mst_span span)
{
    return mst_call_bytes(call, span, call->root);
}

/* Of a small reduce the root alone folds, and no other waits for it. */
static bool is_pooled(const mst_call *call, size_t in_bytes)
{
    const mst_tuning *tuning = &call->group->tuning;

    return tuning->pooled && (call->collective == MST_BARRIER || call->collective == MST_ALL_REDUCE ||
                              (call->collective == MST_REDUCE && in_bytes > tuning->whole_bytes_max));
}

static size_t view_bytes_min(const mst_call *call, size_t in_bytes)
{
    const mst_tuning *tuning = &call->group->tuning;

    return call->pooled && in_bytes <= tuning->pooled_view_bytes_max ? tuning->pooled_view_bytes_min
                                                                     : tuning->view_bytes_min;
}

/* Decides, alike on every rank, whether data travels beside the flags, by which slots, or not at all. */
static void choose_places(mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->collective];
    size_t in_bytes = most_bytes_of(call, shape->in), out_bytes = most_bytes_of(call, shape->out);

    call->out_bytes = mst_call_bytes(call, shape->out, call->group->rank);
    call->in_line = in_bytes <= MST_PAYLOAD_BYTES;
    call->pooled = is_pooled(call, in_bytes);
    /* A slot holds also the results of reductions; pooled ones are written over the inputs. */
    bool is_small = (call->pooled ? in_bytes : 2 * in_bytes) <= mst_staging_small_max(&call->group->staging);
    call->small = call->in_line || is_small;
    call->part = is_small ? MST_STAGING_SMALL : MST_STAGING_RING;
    size_t least = view_bytes_min(call, in_bytes);
    call->viewable = in_bytes >= least || out_bytes >= least;
    if (call->viewable) {
        call->in_offset =
            arena_offset(call, call->in, mst_call_bytes(call, shape->in, call->group->rank), least);
        call->out_offset =
            arena_offset(call, call->out, mst_call_bytes(call, shape->out, call->group->rank), least);
    }
}

/* A quarter of it: more rounds are more steps, and take a root that copies to itself out of its stride. */
size_t mst_call_round_bytes(const mst_call *call, size_t all, size_t most)
{
    size_t least = call->group->tuning.round_bytes_min;
    size_t quarter = (all / 4 + MST_LINE - 1) / MST_LINE * MST_LINE;
    size_t round = quarter < least ? least : quarter;

    return round < most ? round : most / call->element_bytes * call->element_bytes;
}

/* ---- what it is, for others ---- */

/* Field by field, straight into the arena: assembling it elsewhere and copying it in wider pieces would
 * wait until the stores before it are out, and those go to a line that the peers have. */
void mst_call_note(mst_call_record *record, const mst_call *call)
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

void mst_call_describe(const void *arg, char *text, size_t bytes)
{
    mst_call_record record;

    mst_call_note(&record, arg);
    mst_record_describe(&record, text, bytes);
}

static void tell_entered(const mst_call *call)
{
    char text[140];

    mst_call_describe(call, text, sizeof text);
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

/* ---- running ---- */

muster_status mst_call_check(mst_call *call)
{
    call->element_bytes = muster_dtype_size(call->dtype);

    muster_status status = check_values(call);
    return status == MUSTER_OK ? check_buffers(call) : status;
}

muster_status mst_call_move(mst_call *call)
{
    /* Nothing to move: what remains is to arrive, wait and compare. */
    mst_collective collective = call->count ? call->collective : MST_BARRIER;

    return call->group->transport->collectives[collective](call);
}

static muster_status run(mst_call *call)
{
    muster_group *group = call->group;

    mst_group_begin(group);
    if (group->size == 1) {
        mst_copy(call->out, call->in, mst_call_bytes(call, mst_shapes[call->collective].out, 0));
        return MUSTER_OK;
    }
    call->lane = &group->steps;
    call->operation = ++group->operation;
    call->parity = ++group->steps.operations & 1; /* not of call->operation: started ones count there, too */
    mst_call_begin(call);
    choose_places(call);
    if (!call->small) /* else there is time while the others' lines come */
        mst_call_show(call);
    muster_status status = mst_call_move(call);
    if (status == MUSTER_OK && call->small)
        mst_call_prefetch(call);
    return status;
}

void mst_call_end(const mst_call *call)
{
    const muster_group *group = call->group;

    mst_group_end(call->group, call->out,
                  mst_call_bytes(call, mst_shapes[call->collective].out, group->rank));
}

muster_status mst_collective_run(mst_call *call)
{
    muster_status status = mst_group_enter(call->group, MST_ENTER_COLLECTIVE);

    if (status != MUSTER_OK)
        return status;
    status = mst_call_check(call);
    if (status == MUSTER_OK)
        status = run(call);
    if (status == MUSTER_OK)
        mst_call_end(call);
    mst_group_leave(call->group, MST_ENTER_COLLECTIVE);
    return status;
}
