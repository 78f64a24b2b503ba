/* send, recv, sendrecv and probe: checks, and call classes. The backend moves the messages. */
#include "src/api/enter.h"
#include "src/pure/dtype.h"
#include "src/pure/message.h"
#include "src/pure/partition.h"
#include "src/pure/sized.h"

#define PLAIN_COUNT_MAX                                                                                      \
    (1ULL << 32) /* so many elements of any size have no more bytes than memory can have */

/* ---- checking ---- */

static muster_status check_peer(const char *name, const char *role, int peer, bool may_be_any,
                                const muster_group *group)
{
    if ((peer >= 0 && peer < group->size) || peer == MUSTER_RANK_NONE ||
        (may_be_any && peer == MUSTER_ANY_SOURCE))
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID, "%s: %s %d is not a rank of a group of %d; expected 0 to %d%s", name,
                    role, peer, group->size, group->size - 1,
                    may_be_any ? ", MUSTER_RANK_NONE or MUSTER_ANY_SOURCE" : ", or MUSTER_RANK_NONE");
}

static muster_status check_tag(const char *name, int tag, bool may_be_any)
{
    if (tag >= 0 || (may_be_any && tag == MUSTER_ANY_TAG))
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID, "%s: %d is not a tag; expected 0 to 2147483647%s", name, tag,
                    may_be_any ? ", or MUSTER_ANY_TAG" : "");
}

static muster_status check_buffer(const char *name, const void *buffer, size_t count)
{
    if (!count || buffer)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID, "%s: the buffer is NULL and should hold %zu element%s", name, count,
                    count == 1 ? "" : "s");
}

static muster_status check_result(muster_message *result)
{
    muster_message unused;

    return result ? mst_sized_take(&unused, sizeof unused, result, "MUSTER_MESSAGE_INIT") : MUSTER_OK;
}

static muster_status check_send(const muster_group *group, const mst_message *message)
{
    muster_status status = check_peer(message->name, "destination", message->destination, false, group);

    if (status == MUSTER_OK)
        status = check_tag(message->name, message->send_tag, false);
    if (status != MUSTER_OK || message->destination == MUSTER_RANK_NONE)
        return status;
    return check_buffer(message->name, message->out, message->out_count);
}

static muster_status check_receive(const muster_group *group, const mst_message *message)
{
    muster_status status = check_peer(message->name, "source", message->source, true, group);

    if (status == MUSTER_OK)
        status = check_tag(message->name, message->receive_tag, true);
    if (status == MUSTER_OK)
        status = check_result(message->result);
    if (status != MUSTER_OK || message->source == MUSTER_RANK_NONE)
        return status;
    return check_buffer(message->name, message->in, message->in_count);
}

/* What nearly all messages are, found in one step: one way, between ranks, with a tag and a buffer. The
 * others are looked at in parts. */
static inline bool is_plain(const muster_group *group, mst_message *message)
{
    size_t element = muster_dtype_size(message->dtype);
    int peer = message->sends ? message->destination : message->source;
    int tag = message->sends ? message->send_tag : message->receive_tag;
    const void *buffer = message->sends ? message->out : message->in;

    message->out_bytes = message->out_count * element;
    message->in_bytes = message->in_count * element;
    return element && message->sends != message->receives && peer >= 0 && peer < group->size && tag >= 0 &&
           buffer && (message->out_count | message->in_count) < PLAIN_COUNT_MAX && !message->result;
}

static muster_status check(const muster_group *group, mst_message *message)
{
    size_t element = muster_dtype_size(message->dtype);
    muster_status status = MUSTER_OK;

    if (element == 0)
        return mst_fail(MUSTER_ERR_INVALID,
                        "%s: %d is not a dtype; expected MUSTER_BOOL ... MUSTER_FLOAT64_INT64, or "
                        "MUSTER_BYTES(n) with n of 1 to 1073741823",
                        message->name, (int)message->dtype);
    if (!mst_multiply(message->out_count, element, 1, &message->out_bytes) ||
        message->out_bytes > PTRDIFF_MAX ||
        !mst_multiply(message->in_count, element, 1, &message->in_bytes) || message->in_bytes > PTRDIFF_MAX)
        return mst_fail(MUSTER_ERR_INVALID, "%s: more elements than memory can have", message->name);
    if (message->sends)
        status = check_send(group, message);
    if (status == MUSTER_OK && message->receives)
        status = check_receive(group, message);
    if (status == MUSTER_OK && message->destination != MUSTER_RANK_NONE &&
        message->source != MUSTER_RANK_NONE &&
        mst_overlap(message->out, message->out_bytes, message->in, message->in_bytes))
        status = mst_fail(MUSTER_ERR_INVALID, "%s: the send and receive buffers overlap", message->name);
    return status;
}

/* ---- what was asked for ---- */

static inline mst_message send_of(const char *name, const void *buf, size_t count, muster_dtype dtype,
                                  int dst, int tag)
{
    return (mst_message){ .name = name,
                          .dtype = dtype,
                          .sends = true,
                          .destination = dst,
                          .send_tag = tag,
                          .out = buf,
                          .out_count = count };
}

static inline mst_message receive_of(const char *name, void *buf, size_t count, muster_dtype dtype, int src,
                                     int tag, muster_message *result)
{
    return (mst_message){ .name = name,
                          .dtype = dtype,
                          .receives = true,
                          .source = src,
                          .receive_tag = tag,
                          .in = buf,
                          .in_count = count,
                          .result = result };
}

/* Takes out what has no peer, MUSTER_RANK_NONE. *from_none: that was the receive. */
static void take_none_out(mst_message *message, bool *from_none)
{
    *from_none = message->receives && message->source == MUSTER_RANK_NONE;
    message->sends = message->sends && message->destination != MUSTER_RANK_NONE;
    message->receives = message->receives && !*from_none;
}

static void tell_none(muster_message *result, muster_dtype dtype)
{
    mst_message_tell(result, MUSTER_RANK_NONE, MUSTER_ANY_TAG, dtype, 0);
}

/* ---- moving ---- */

/* Moves what has a peer. */
static muster_status move(muster_group *group, mst_message *message)
{
    bool from_none;

    if (is_plain(group, message))
        return group->backend->message(group, message);
    muster_status status = check(group, message);
    if (status != MUSTER_OK)
        return mst_refuse(group, status);
    take_none_out(message, &from_none);
    status = message->sends || message->receives ? group->backend->message(group, message)
                                                 : group->backend->status(group);
    if (status == MUSTER_OK && from_none)
        tell_none(message->result, message->dtype);
    return status;
}

/* The whole call of one direction. */
static muster_status move_one_way(muster_group *group, muster_call_class class, mst_message *message)
{
    muster_status status = mst_enter_messages(group, class);

    if (status != MUSTER_OK)
        return mst_named(message->name, status);
    return mst_end_messages(group, class, message->name, move(group, message));
}

muster_status muster_send(const void *buf, size_t count, muster_dtype dtype, int dst, int tag,
                          muster_group *group)
{
    mst_message message = send_of("send", buf, count, dtype, dst, tag);

    return move_one_way(group, MUSTER_CALL_SEND, &message);
}

muster_status muster_recv(void *buf, size_t count, muster_dtype dtype, int src, int tag, muster_group *group,
                          muster_message *result)
{
    mst_message message = receive_of("recv", buf, count, dtype, src, tag, result);

    return move_one_way(group, MUSTER_CALL_RECEIVE, &message);
}

muster_status muster_sendrecv(const void *sendbuf, size_t sendcount, int dst, int sendtag, void *recvbuf,
                              size_t recvcount, int src, int recvtag, muster_dtype dtype, muster_group *group,
                              muster_message *result)
{
    mst_message message = receive_of("sendrecv", recvbuf, recvcount, dtype, src, recvtag, result);

    message.sends = true;
    message.destination = dst;
    message.send_tag = sendtag;
    message.out = sendbuf;
    message.out_count = sendcount;
    muster_status status = mst_enter_messages(group, MUSTER_CALL_SEND);
    if (status != MUSTER_OK)
        return mst_named("sendrecv", status);
    status = mst_enter_messages(group, MUSTER_CALL_RECEIVE);
    if (status == MUSTER_OK) {
        status = move(group, &message);
        mst_leave_messages(group, MUSTER_CALL_RECEIVE);
    }
    return mst_end_messages(group, MUSTER_CALL_SEND, "sendrecv", status);
}

/* ---- starting ---- */

/* Checks it, and takes out what has no peer, as far as there may be anything of that kind. */
static muster_status prepare(const muster_group *group, mst_message *message, bool *from_none)
{
    *from_none = false;
    if (is_plain(group, message))
        return MUSTER_OK;
    muster_status status = check(group, message);
    if (status != MUSTER_OK)
        return mst_refuse(group, status);
    take_none_out(message, from_none);
    return MUSTER_OK;
}

static muster_status start_entered(muster_group *group, muster_call_class class, mst_message *message,
                                   muster_request *request)
{
    uint64_t number;
    bool from_none;

    muster_status status = mst_check_place(request, "request");
    if (status != MUSTER_OK)
        return mst_refuse(group, status);
    status = prepare(group, message, &from_none);
    if (status == MUSTER_OK)
        status = group->backend->start_message(group, class, message, &number);
    if (status != MUSTER_OK)
        return status;
    if (from_none)
        tell_none(message->result, message->dtype);
    mst_count_started(group, class, 1);
    *request = (muster_request){ group, number };
    return MUSTER_OK;
}

static muster_status start(muster_group *group, muster_call_class class, mst_message *message,
                           muster_request *request)
{
    muster_status status = mst_enter_messages(group, class);

    if (status != MUSTER_OK)
        return mst_named(message->name, status);
    return mst_end_messages(group, class, message->name, start_entered(group, class, message, request));
}

muster_status muster_send_start(const void *buf, size_t count, muster_dtype dtype, int dst, int tag,
                                muster_group *group, muster_request *request)
{
    mst_message message = send_of("send_start", buf, count, dtype, dst, tag);

    return start(group, MUSTER_CALL_SEND, &message, request);
}

muster_status muster_recv_start(void *buf, size_t count, muster_dtype dtype, int src, int tag,
                                muster_group *group, muster_message *result, muster_request *request)
{
    mst_message message = receive_of("recv_start", buf, count, dtype, src, tag, result);

    return start(group, MUSTER_CALL_RECEIVE, &message, request);
}

static muster_status cancel(muster_request *request, bool *canceled)
{
    bool over = false;

    muster_status status = request->group->backend->cancel(request->group, request->number, &over);
    if (status == MUSTER_OK)
        *canceled = over;
    if (over)
        mst_request_over(request);
    return status;
}

muster_status muster_cancel(muster_request *request, bool *canceled)
{
    muster_group *group = request ? request->group : NULL;

    if (!group)
        return mst_named("cancel", mst_fail(MUSTER_ERR_INVALID, "the request is not pending: it was never "
                                                                "started, or has been completed"));
    muster_call_class class = mst_started_class(request->number);
    bool of_message = class != MUSTER_CALL_COLLECTIVE;
    muster_status status = mst_check_place(canceled, "answer");
    if (status == MUSTER_OK)
        status = of_message ? mst_enter_messages(group, class) : mst_enter(group, class);
    if (status != MUSTER_OK)
        return mst_named("cancel", status);
    status = cancel(request, canceled);
    return of_message ? mst_end_messages(group, class, "cancel", status)
                      : mst_end(group, class, "cancel", status);
}

/* ---- probing ---- */

static muster_status probe(const char *name, int src, int tag, muster_group *group, bool waits, bool *found,
                           muster_message *result)
{
    muster_status status = check_peer(name, "source", src, true, group);

    if (status == MUSTER_OK)
        status = check_tag(name, tag, true);
    if (status == MUSTER_OK)
        status = check_result(result);
    if (status != MUSTER_OK)
        return mst_refuse(group, status);
    if (src != MUSTER_RANK_NONE)
        return group->backend->probe(group, src, tag, waits, found, result);
    *found = true;
    tell_none(result, MUSTER_BOOL);
    return group->backend->status(group);
}

muster_status muster_probe(int src, int tag, muster_group *group, muster_message *message)
{
    bool found;

    muster_status status = mst_enter_messages(group, MUSTER_CALL_RECEIVE);
    if (status != MUSTER_OK)
        return mst_named("probe", status);
    status = probe("probe", src, tag, group, true, &found, message);
    return mst_end_messages(group, MUSTER_CALL_RECEIVE, "probe", status);
}

muster_status muster_iprobe(int src, int tag, muster_group *group, bool *found, muster_message *message)
{
    bool there = false;

    muster_status status = mst_enter_messages(group, MUSTER_CALL_RECEIVE);
    if (status != MUSTER_OK)
        return mst_named("iprobe", status);
    status = found ? probe("iprobe", src, tag, group, false, &there, message)
                   : mst_refuse(group, mst_fail(MUSTER_ERR_INVALID, "iprobe: `found` is NULL"));
    if (found && status == MUSTER_OK)
        *found = there;
    return mst_end_messages(group, MUSTER_CALL_RECEIVE, "iprobe", status);
}
