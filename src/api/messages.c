/* send, recv and sendrecv: checks, and call classes. The backend moves the messages. */
#include "src/api/enter.h"
#include "src/pure/dtype.h"
#include "src/pure/partition.h"

static muster_status check_direction(const mst_message *message, const muster_group *group, const char *role,
                                     int peer, const void *buffer, size_t count)
{
    if (peer < 0 || peer >= group->size)
        return mst_fail(MUSTER_ERR_INVALID, "%s: %s %d is not a rank of a group of %d", message->name, role,
                        peer, group->size);
    if (count && !buffer)
        return mst_fail(MUSTER_ERR_INVALID, "%s: the buffer is NULL and should hold %zu element%s",
                        message->name, count, count == 1 ? "" : "s");
    return MUSTER_OK;
}

static muster_status check(const muster_group *group, mst_message *message)
{
    size_t element = muster_dtype_size(message->dtype);
    muster_status status = MUSTER_OK;

    if (element == 0)
        return mst_fail(MUSTER_ERR_INVALID, "%s: %d is not a dtype", message->name, (int)message->dtype);
    if (!mst_multiply(message->out_count, element, 1, &message->out_bytes) ||
        message->out_bytes > PTRDIFF_MAX ||
        !mst_multiply(message->in_count, element, 1, &message->in_bytes) || message->in_bytes > PTRDIFF_MAX)
        return mst_fail(MUSTER_ERR_INVALID, "%s: more elements than memory can have", message->name);
    if (message->sends)
        status = check_direction(message, group, "destination", message->destination, message->out,
                                 message->out_count);
    if (status == MUSTER_OK && message->receives)
        status = check_direction(message, group, "source", message->source, message->in, message->in_count);
    if (status == MUSTER_OK && mst_overlap(message->out, message->out_bytes, message->in, message->in_bytes))
        status = mst_fail(MUSTER_ERR_INVALID, "%s: the send and receive buffers overlap", message->name);
    return status;
}

static muster_status move(muster_group *group, mst_message *message)
{
    muster_status status = check(group, message);

    return status == MUSTER_OK ? group->backend->message(group, message) : mst_refuse(group, status);
}

muster_status muster_send(const void *buf, size_t count, muster_dtype dtype, int dst, muster_group *group)
{
    mst_message message = {
        .name = "send", .dtype = dtype, .sends = true, .destination = dst, .out = buf, .out_count = count
    };

    muster_status status = mst_enter(group, MUSTER_CALL_SEND);
    if (status != MUSTER_OK)
        return status;
    status = move(group, &message);
    mst_leave(group, MUSTER_CALL_SEND);
    return status;
}

muster_status muster_recv(void *buf, size_t count, muster_dtype dtype, int src, muster_group *group)
{
    mst_message message = {
        .name = "recv", .dtype = dtype, .receives = true, .source = src, .in = buf, .in_count = count
    };

    muster_status status = mst_enter(group, MUSTER_CALL_RECEIVE);
    if (status != MUSTER_OK)
        return status;
    status = move(group, &message);
    mst_leave(group, MUSTER_CALL_RECEIVE);
    return status;
}

muster_status muster_sendrecv(const void *sendbuf, size_t sendcount, int dst, void *recvbuf, size_t recvcount,
                              int src, muster_dtype dtype, muster_group *group)
{
    mst_message message = { .name = "sendrecv",
                            .dtype = dtype,
                            .sends = true,
                            .receives = true,
                            .destination = dst,
                            .source = src,
                            .out = sendbuf,
                            .in = recvbuf,
                            .out_count = sendcount,
                            .in_count = recvcount };

    muster_status status = mst_enter(group, MUSTER_CALL_SEND);
    if (status != MUSTER_OK)
        return status;
    status = mst_enter(group, MUSTER_CALL_RECEIVE);
    if (status == MUSTER_OK) {
        status = move(group, &message);
        mst_leave(group, MUSTER_CALL_RECEIVE);
    }
    mst_leave(group, MUSTER_CALL_SEND);
    return status;
}
