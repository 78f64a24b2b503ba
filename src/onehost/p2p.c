/*
 * send, recv, sendrecv: what a call must be like, and its entrances. How messages move is in exchange.c.
 */
#include "src/onehost/exchange.h"
#include "src/pure/dtype.h"
#include "src/pure/error.h"
#include "src/pure/partition.h"

static muster_status check_direction(const mst_exchange *exchange, const mst_transfer *transfer, size_t count,
                                     const char *role)
{
    if (transfer->peer < 0 || transfer->peer >= exchange->group->size)
        return mst_fail(MUSTER_ERR_INVALID, "%s: %s %d is not a rank of a group of %d", exchange->name, role,
                        transfer->peer, exchange->group->size);
    if (count && !transfer->bytes)
        return mst_fail(MUSTER_ERR_INVALID, "%s: the buffer is NULL and should hold %zu element%s",
                        exchange->name, count, count == 1 ? "" : "s");
    return MUSTER_OK;
}

/* First of all, since it takes as long as all the checks. */
static void prefetch(const mst_exchange *exchange)
{
    const mst_transfer *out = &exchange->out;

    if (out->peer >= 0 && out->peer < exchange->group->size)
        mst_channel_prefetch(&exchange->group->channels, out->peer,
                             exchange->out_count * muster_dtype_size(exchange->dtype));
}

static muster_status prepare(mst_exchange *exchange)
{
    size_t element = muster_dtype_size(exchange->dtype);
    mst_transfer *out = &exchange->out, *in = &exchange->in;
    muster_status status = MUSTER_OK;

    if (element == 0)
        return mst_fail(MUSTER_ERR_INVALID, "%s: %d is no dtype", exchange->name, (int)exchange->dtype);
    if (!mst_multiply(exchange->out_count, element, 1, &out->total) || out->total > PTRDIFF_MAX ||
        !mst_multiply(exchange->in_count, element, 1, &in->total) || in->total > PTRDIFF_MAX)
        return mst_fail(MUSTER_ERR_INVALID, "%s: more elements than memory can have", exchange->name);
    if (out->active)
        status = check_direction(exchange, out, exchange->out_count, "destination");
    if (status == MUSTER_OK && in->active)
        status = check_direction(exchange, in, exchange->in_count, "source");
    if (status == MUSTER_OK && mst_overlap(out->bytes, out->total, in->bytes, in->total))
        status = mst_fail(MUSTER_ERR_INVALID, "%s: the send and receive buffers overlap", exchange->name);
    if (status == MUSTER_OK && out->active)
        status = mst_channel_open(&exchange->group->channels, out->peer);
    return status;
}

/* Nobody but the caller could make room for what it sends to itself. */
static muster_status check_send_to_self(const mst_exchange *exchange)
{
    muster_group *group = exchange->group;

    if (exchange->out.peer != group->rank ||
        mst_channel_fits(&group->channels, group->rank, exchange->out.total))
        return MUSTER_OK;
    return mst_fail(
        MUSTER_ERR_INVALID,
        "send: %zu bytes to oneself do not fit into what the channel still buffers (of %llu KiB in "
        "all); receive first, or use sendrecv",
        exchange->out.total, (unsigned long long)group->channels.ring_bytes / 1024);
}

/* ---- the public functions ---- */

muster_status muster_send(const void *buf, size_t count, muster_dtype dtype, int dst, muster_group *group)
{
    mst_exchange exchange = { .group = group,
                              .name = "send",
                              .dtype = dtype,
                              .out_count = count,
                              .out = {
                                  .active = true, .peer = dst, .bytes = (unsigned char *)(uintptr_t)buf } };

    muster_status status = mst_group_enter(group, MST_ENTER_SEND);
    if (status != MUSTER_OK)
        return status;
    prefetch(&exchange);
    status = prepare(&exchange);
    if (status == MUSTER_OK)
        status = check_send_to_self(&exchange);
    if (status == MUSTER_OK)
        status = mst_exchange_run(&exchange);
    mst_group_leave(group, MST_ENTER_SEND);
    return status;
}

muster_status muster_recv(void *buf, size_t count, muster_dtype dtype, int src, muster_group *group)
{
    mst_exchange exchange = { .group = group,
                              .name = "recv",
                              .dtype = dtype,
                              .in_count = count,
                              .in = { .active = true, .peer = src, .bytes = buf } };

    muster_status status = mst_group_enter(group, MST_ENTER_RECEIVE);
    if (status != MUSTER_OK)
        return status;
    status = prepare(&exchange);
    if (status == MUSTER_OK)
        status = mst_exchange_run(&exchange);
    mst_group_leave(group, MST_ENTER_RECEIVE);
    return status;
}

muster_status muster_sendrecv(const void *sendbuf, size_t sendcount, int dst, void *recvbuf, size_t recvcount,
                              int src, muster_dtype dtype, muster_group *group)
{
    mst_exchange exchange = {
        .group = group,
        .name = "sendrecv",
        .dtype = dtype,
        .out_count = sendcount,
        .in_count = recvcount,
        .out = { .active = true, .peer = dst, .bytes = (unsigned char *)(uintptr_t)sendbuf },
        .in = { .active = true, .peer = src, .bytes = recvbuf },
    };

    muster_status status = mst_group_enter(group, MST_ENTER_SEND);
    if (status != MUSTER_OK)
        return status;
    status = mst_group_enter(group, MST_ENTER_RECEIVE);
    if (status == MUSTER_OK) {
        prefetch(&exchange);
        status = prepare(&exchange);
        if (status == MUSTER_OK)
            status = mst_exchange_run(&exchange);
        mst_group_leave(group, MST_ENTER_RECEIVE);
    }
    mst_group_leave(group, MST_ENTER_SEND);
    return status;
}
