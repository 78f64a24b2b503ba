/* Sizes and descriptions of calls, for call.h. */
#include "src/onehost/coll/call.h"

#include <string.h>

#include "src/onehost/coll/describe.h"
#include "src/onehost/group/showing.h"

/* Four rounds at most: more would cost more synchronisations, and delay a root that also copies to its own
 * output. They are alike: a short one behind a long one costs as much as any, and hides nothing. */
size_t mst_call_round_bytes(const mst_call *call, size_t all, size_t most)
{
    size_t least = call->group->tuning.round_bytes_min, rounds = all / least;
    size_t part = all / (rounds < 1 ? 1 : rounds < 4 ? rounds : 4);
    size_t round = part < least ? least : (part + MST_LINE - 1) / MST_LINE * MST_LINE;

    return round < most ? round : most / mst_call_unit_bytes(call) * mst_call_unit_bytes(call);
}

/* ---- operations that the program made ---- */

static_assert(sizeof((mst_made_op *)0)->name == MST_OP_BYTES &&
                  sizeof((mst_made_op *)0)->factor == MST_OP_BYTES,
              "records have room for both");

void mst_call_note_made(mst_call_record *record, const mst_made_op *made)
{
    memcpy(record->made, made->fn ? (const void *)made->name : made->factor, sizeof record->made);
}

/* ---- what a call is, for other ranks and for observers ---- */

void mst_call_describe(const void *arg, char *text, size_t bytes)
{
    mst_call_record record;

    mst_call_note(&record, arg);
    mst_record_describe(&record, text, bytes);
}

static __attribute__((cold, noinline)) void tell_entered(const mst_call *call)
{
    char text[140];

    mst_call_describe(call, text, sizeof text);
    mst_log_line(call->group->base.log, MUSTER_LOG_DEBUG, "%s, in a group of %d", text,
                 call->group->base.size);
}

mst_doing mst_call_doing(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->request->collective];

    return (mst_doing){ .kind = call->request->collective,
                        .dtype = (uint32_t)call->request->dtype,
                        .op = shape->reduces ? (uint32_t)call->request->op : 0,
                        .peer = shape->rooted ? call->request->root : -1,
                        .count = call->request->elements,
                        .operation = call->operation };
}

static __attribute__((noinline)) void show(const mst_call *call)
{
    mst_doing doing = mst_call_doing(call);

    if (call->repeatable)
        mst_group_show_repeatable(call->group, &doing);
    else
        mst_group_show(call->group, MUSTER_CALL_COLLECTIVE, call->group->operation, &doing);
}

void mst_call_show(const mst_call *call)
{
    if (call->repeats && mst_group_can_repeat(call->group))
        mst_group_show_repeated(call->group, call->operation);
    else
        show(call);
    if (mst_log_wanted(call->group->base.log, MUSTER_LOG_DEBUG))
        tell_entered(call);
}

muster_status mst_request_failed(const mst_request *request, muster_status status)
{
    char name[MUSTER_CALL_NAME_BYTES];

    mst_collective_name(request->collective, request->op, request->made ? request->made->name : NULL, name,
                        sizeof name);
    mst_error_operation(name);
    return status;
}
