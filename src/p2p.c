/*
 * send, recv, sendrecv: messages through the channel of a pair.
 *
 * A message is a header and its bytes. Each call moves what can be moved now in its one or two
 * directions, then sleeps on this rank's bell until one of them can go on; as sendrecv always serves
 * both, no pattern of it deadlocks. Long messages stream through the ring in parts while the other
 * end takes them out. Cost: two copies, and a line transfer each way per part.
 */
#include <stdio.h>

#include "shm/error.h"
#include "src/dtype.h"
#include "src/group.h"
#include "src/partition.h"

/* One direction of a call. */
typedef struct transfer {
    bool active;
    int peer;
    unsigned char *bytes; /* the user's; only read when sending */
    size_t total;
    size_t done; /* of header and bytes together */
    mst_message_header header;
} transfer;

typedef struct exchange {
    muster_group *group;
    const char *name;
    transfer out, in;
    muster_dtype dtype;
    size_t out_count, in_count;
} exchange;

#define HEADER_BYTES sizeof(mst_message_header)

static bool is_done(const transfer *transfer)
{
    return !transfer->active || transfer->done == HEADER_BYTES + transfer->total;
}

/* ---- one direction ---- */

static mst_flow push(exchange *exchange)
{
    transfer *out = &exchange->out;
    mst_channels *channels = &exchange->group->channels;
    mst_flow flow = MST_FLOW_OK;
    size_t moved;

    if (out->done < HEADER_BYTES) {
        flow = mst_channel_push(channels, out->peer, (unsigned char *)&out->header + out->done,
                                HEADER_BYTES - out->done, &moved);
        out->done += moved;
    }
    if (flow == MST_FLOW_OK && out->done >= HEADER_BYTES && !is_done(out)) {
        size_t at = out->done - HEADER_BYTES;

        flow = mst_channel_push(channels, out->peer, out->bytes + at, out->total - at, &moved);
        out->done += moved;
    }
    return flow;
}

static muster_status check_header(exchange *exchange)
{
    const transfer *in = &exchange->in;
    const mst_message_header *header = &in->header;

    if (header->check != MST_MESSAGE_CHECK)
        return mst_group_poison(exchange->group, MST_POISON_DAMAGE,
                                "rank %d found no message where one from rank %d should begin: the arena is "
                                "damaged",
                                exchange->group->rank, in->peer);
    if (header->count == exchange->in_count && header->dtype == (uint32_t)exchange->dtype &&
        header->bytes == in->total)
        return MUSTER_OK;
    const char *sent = muster_dtype_name((muster_dtype)header->dtype);
    return mst_group_poison(exchange->group, MST_POISON_MISMATCH,
                            "rank %d expected a message of %s x %zu from rank %d, which sent %s x %llu",
                            exchange->group->rank, muster_dtype_name(exchange->dtype), exchange->in_count,
                            in->peer, sent ? sent : "?", (unsigned long long)header->count);
}

static muster_status damaged(exchange *exchange, int peer)
{
    return mst_group_poison(exchange->group, MST_POISON_DAMAGE,
                            "rank %d found an impossible position in the channel with rank %d: the arena is "
                            "damaged",
                            exchange->group->rank, peer);
}

static muster_status pull(exchange *exchange)
{
    transfer *in = &exchange->in;
    mst_channels *channels = &exchange->group->channels;
    mst_flow flow = MST_FLOW_OK;
    size_t moved;

    if (in->done < HEADER_BYTES) {
        flow = mst_channel_pull(channels, in->peer, (unsigned char *)&in->header + in->done,
                                HEADER_BYTES - in->done, &moved);
        in->done += moved;
        if (flow == MST_FLOW_OK && in->done == HEADER_BYTES) {
            muster_status status = check_header(exchange);
            if (status != MUSTER_OK)
                return status;
        }
    }
    if (flow == MST_FLOW_OK && in->done >= HEADER_BYTES && !is_done(in)) {
        size_t at = in->done - HEADER_BYTES;

        flow = mst_channel_pull(channels, in->peer, in->bytes + at, in->total - at, &moved);
        in->done += moved;
    }
    return flow == MST_FLOW_OK ? MUSTER_OK : damaged(exchange, in->peer);
}

static muster_status progress(exchange *exchange)
{
    if (!is_done(&exchange->out) && push(exchange) != MST_FLOW_OK)
        return damaged(exchange, exchange->out.peer);
    if (!is_done(&exchange->in))
        return pull(exchange);
    return MUSTER_OK;
}

/* ---- waiting ---- */

static bool can_go_on(const void *arg)
{
    const exchange *waiting = arg;
    mst_channels *channels = &waiting->group->channels;

    return (!is_done(&waiting->out) && mst_channel_has_room(channels, waiting->out.peer)) ||
           (!is_done(&waiting->in) && mst_channel_has_bytes(channels, waiting->in.peer));
}

static void look_for_dead(void *arg, int peer)
{
    const exchange *waiting = arg;

    (void)peer;
    mst_group_look_for_dead(waiting->group, is_done(&waiting->out) ? -1 : waiting->out.peer);
    if (!is_done(&waiting->in))
        mst_group_look_for_dead(waiting->group, waiting->in.peer);
}

static muster_status wait_failed(exchange *exchange, mst_wait_result result)
{
    bool receiving = !is_done(&exchange->in);
    const transfer *late = receiving ? &exchange->in : &exchange->out;
    char doing[80], missing[32];

    snprintf(doing, sizeof doing, "%s (%s x %zu)", exchange->name, muster_dtype_name(exchange->dtype),
             receiving ? exchange->in_count : exchange->out_count);
    snprintf(missing, sizeof missing, "rank %d to %s", late->peer, receiving ? "send" : "receive");
    return mst_group_wait_failed(exchange->group, result, doing, missing);
}

static muster_status run(exchange *exchange)
{
    muster_group *group = exchange->group;
    mst_waiter *waiter = exchange->in.active ? &group->receive_waiter : &group->send_waiter;
    mst_signal *bell = &group->subarena->cells[group->rank]->bell;

    waiter->deadline_ns = 0;
    waiter->tick = look_for_dead;
    waiter->tick_arg = exchange;
    for (;;) {
        muster_status status = progress(exchange);
        if (status != MUSTER_OK || (is_done(&exchange->out) && is_done(&exchange->in)))
            return status;
        mst_wait_result result = mst_wait_until(waiter, mst_signal_parking(bell), can_go_on, exchange, -1);
        if (result != MST_WAIT_READY)
            return wait_failed(exchange, result);
    }
}

/* ---- checking ---- */

static muster_status check_direction(const exchange *exchange, const transfer *transfer, size_t count,
                                     const char *role)
{
    if (transfer->peer < 0 || transfer->peer >= exchange->group->size)
        return mst_fail(MUSTER_ERR_INVALID, "%s: %s %d is not a rank of a group of %d", exchange->name, role,
                        transfer->peer, exchange->group->size);
    if (count && !transfer->bytes)
        return mst_fail(MUSTER_ERR_INVALID, "%s: the buffer is NULL and should hold %zu elements",
                        exchange->name, count);
    return MUSTER_OK;
}

static muster_status prepare(exchange *exchange)
{
    size_t element = muster_dtype_size(exchange->dtype);
    transfer *out = &exchange->out, *in = &exchange->in;
    muster_status status = MUSTER_OK;

    if (exchange->group->size == 1)
        return mst_fail(MUSTER_ERR_INVALID, "%s: a group of one has nobody to talk to", exchange->name);
    if (element == 0)
        return mst_fail(MUSTER_ERR_INVALID, "%s: %d is no dtype", exchange->name, (int)exchange->dtype);
    if (!mst_multiply(exchange->out_count, element, 1, &out->total) ||
        !mst_multiply(exchange->in_count, element, 1, &in->total))
        return mst_fail(MUSTER_ERR_INVALID, "%s: more elements than memory can have", exchange->name);
    if (out->active)
        status = check_direction(exchange, out, exchange->out_count, "destination");
    if (status == MUSTER_OK && in->active)
        status = check_direction(exchange, in, exchange->in_count, "source");
    if (status == MUSTER_OK && mst_overlap(out->bytes, out->total, in->bytes, in->total))
        status = mst_fail(MUSTER_ERR_INVALID, "%s: the send and receive buffers overlap", exchange->name);
    if (status == MUSTER_OK && out->active) {
        out->header = (mst_message_header){ exchange->out_count, out->total, (uint32_t)exchange->dtype,
                                            MST_MESSAGE_CHECK };
        status = mst_channel_open(&exchange->group->channels, out->peer);
    }
    return status;
}

/* Nobody but the caller could make room for what it sends to itself. */
static muster_status check_send_to_self(const exchange *exchange)
{
    const muster_group *group = exchange->group;

    if (exchange->out.peer != group->rank ||
        mst_channel_room(&group->channels, group->rank) >= HEADER_BYTES + exchange->out.total)
        return MUSTER_OK;
    return mst_fail(
        MUSTER_ERR_INVALID,
        "send: %zu bytes to oneself do not fit into what the channel still buffers (%zu); receive "
        "first, or use sendrecv",
        exchange->out.total, mst_channel_room(&group->channels, group->rank));
}

/* ---- the public functions ---- */

muster_status muster_send(const void *buf, size_t count, muster_dtype dtype, int dst, muster_group *group)
{
    exchange exchange = { .group = group,
                          .name = "send",
                          .dtype = dtype,
                          .out_count = count,
                          .out = { .active = true, .peer = dst, .bytes = (unsigned char *)(uintptr_t)buf } };

    muster_status status = mst_group_enter(group, MST_ENTER_SEND);
    if (status != MUSTER_OK)
        return status;
    status = prepare(&exchange);
    if (status == MUSTER_OK)
        status = check_send_to_self(&exchange);
    if (status == MUSTER_OK)
        status = run(&exchange);
    mst_group_leave(group, MST_ENTER_SEND);
    return status;
}

muster_status muster_recv(void *buf, size_t count, muster_dtype dtype, int src, muster_group *group)
{
    exchange exchange = { .group = group,
                          .name = "recv",
                          .dtype = dtype,
                          .in_count = count,
                          .in = { .active = true, .peer = src, .bytes = buf } };

    muster_status status = mst_group_enter(group, MST_ENTER_RECEIVE);
    if (status != MUSTER_OK)
        return status;
    status = prepare(&exchange);
    if (status == MUSTER_OK)
        status = run(&exchange);
    mst_group_leave(group, MST_ENTER_RECEIVE);
    return status;
}

muster_status muster_sendrecv(const void *sendbuf, size_t sendcount, int dst, void *recvbuf, size_t recvcount,
                              int src, muster_dtype dtype, muster_group *group)
{
    exchange exchange = {
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
        status = prepare(&exchange);
        if (status == MUSTER_OK)
            status = run(&exchange);
        mst_group_leave(group, MST_ENTER_RECEIVE);
    }
    mst_group_leave(group, MST_ENTER_SEND);
    return status;
}
