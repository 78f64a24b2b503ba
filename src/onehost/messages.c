/* send, recv and sendrecv, for messages.h. */
#include "src/onehost/messages.h"

#include "shm/base/error.h"
#include "src/onehost/broken.h"
#include "src/onehost/exchange.h"
#include "src/onehost/showing.h"

/* Refuses a message to ourselves that the channel cannot buffer: nobody else could consume it. */
static muster_status check_send_to_self(const mst_exchange *exchange)
{
    mst_group *group = exchange->group;
    const mst_message *message = exchange->message;

    if (!message->sends || message->receives || message->destination != group->base.rank ||
        mst_channel_fits(&group->channels, group->base.rank, message->out_bytes))
        return MUSTER_OK;
    return mst_fail(
        MUSTER_ERR_INVALID,
        "send: %zu bytes to oneself do not fit into what the channel still buffers (of %llu KiB in "
        "all); receive first, or use sendrecv",
        message->out_bytes, (unsigned long long)group->channels.ring_bytes / 1024);
}

static muster_status enter(mst_group *group, const mst_message *message)
{
    muster_status status = MUSTER_OK;

    if (message->sends)
        status = mst_group_ready(group, MUSTER_CALL_SEND);
    if (message->receives && status == MUSTER_OK)
        status = mst_group_ready(group, MUSTER_CALL_RECEIVE);
    return status;
}

muster_status mst_message_move(muster_group *of, const mst_message *message)
{
    mst_group *group = mst_group_of(of);
    mst_exchange exchange = { .group = group,
                              .message = message,
                              .out = { .active = message->sends,
                                       .peer = message->destination,
                                       .bytes = (unsigned char *)(uintptr_t)message->out,
                                       .total = message->out_bytes },
                              .in = { .active = message->receives,
                                      .peer = message->source,
                                      .bytes = message->in,
                                      .total = message->in_bytes } };

    /* First, since the checks take as long as the lines; it only prefetches, also in a broken group. */
    if (message->sends)
        mst_channel_prefetch(&group->channels, message->destination, message->out_bytes);
    muster_status status = enter(group, message);
    if (status == MUSTER_OK && message->sends)
        status = mst_channel_open(&group->channels, message->destination);
    if (status == MUSTER_OK)
        status = check_send_to_self(&exchange);
    if (status == MUSTER_OK)
        status = mst_exchange_run(&exchange);
    if (message->receives)
        mst_group_shown(group, MUSTER_CALL_RECEIVE);
    if (message->sends)
        mst_group_shown(group, MUSTER_CALL_SEND);
    return status;
}
