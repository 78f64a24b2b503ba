/*
 * Messages of one entry for which nothing else has to move: put into the channel, or taken from it if they
 * are next there. All others become transfers (transfer.h), also what its receiver could read where it is.
 *
 * The caller may move that direction's messages: it is in a call of the class, and has the lock of pending
 * operations while there are started ones.
 */
#ifndef MST_AT_ONCE_H
#define MST_AT_ONCE_H

#include "shm/group/channel_in.h"
#include "shm/group/channel_out.h"
#include "src/onehost/group/group.h"
#include "src/onehost/messages/outgoing.h"
#include "src/pure/message.h"

/* Whether it may be lent, if its receiver waits for it. */
static inline bool mst_is_lendable(const mst_group *group, const mst_message *message)
{
    return message->out_bytes >= group->tuning.lent_bytes_min &&
           mst_outgoing_place(group, message->destination, message->out, message->out_bytes);
}

/* False: it has no room, is too large, or others wait for room before it. The channel is open. */
static inline bool mst_send_at_once(mst_group *group, const mst_message *message)
{
    mst_envelope envelope = { .kind = MST_ENTRY_WHOLE,
                              .tag = message->send_tag,
                              .type = (uint32_t)message->dtype,
                              .bytes = message->out_bytes };

    return message->out_bytes <= MST_PART_BYTES && !mst_is_lendable(group, message) &&
           !group->traffic.outgoing.destinations[message->destination].queue.first &&
           mst_channel_put(&group->channels, message->destination, &envelope, message->out) == MST_FLOW_OK;
}

/* Whether no other receive of the group, and no message that came out of order, has to be looked at. */
static inline bool mst_receives_alone(const mst_group *group, const mst_message *message)
{
    const mst_incoming *incoming = &group->traffic.incoming;
    int source = message->source;

    return source >= 0 && incoming->pending == 0 && !incoming->matching.by_source[source].first;
}

static inline bool mst_fits_at_once(const mst_message *message, const mst_envelope *envelope)
{
    uint32_t tag = (uint32_t)envelope->tag; /* so none that was damaged is -1, as any is */

    if (envelope->kind != MST_ENTRY_WHOLE || envelope->type != (uint32_t)message->dtype ||
        ((int64_t)tag != message->receive_tag &&
         (message->receive_tag != MUSTER_ANY_TAG || envelope->tag < 0)))
        return false;
    return envelope->bytes == message->in_bytes || (message->result && envelope->bytes < message->in_bytes &&
                                                    envelope->bytes % muster_dtype_size(message->dtype) == 0);
}

/* Of a receive that is alone. *bytes: those of the message. NOT_NOW: nothing has come yet. DAMAGED: what has
 * come is anything but a small message that fits, and is left to transfers. */
static inline mst_flow mst_receive_at_once(mst_group *group, const mst_message *message, size_t *bytes)
{
    mst_channels *channels = &group->channels;
    mst_envelope envelope;

    mst_flow flow = mst_channel_look(channels, message->source, &envelope);
    if (flow != MST_FLOW_OK)
        return flow;
    if (!mst_fits_at_once(message, &envelope))
        return MST_FLOW_DAMAGED;
    mst_channel_take(channels, message->source, &envelope, message->in);
    *bytes = envelope.bytes;
    if (message->result)
        mst_message_tell(message->result, message->source, envelope.tag, message->dtype, envelope.bytes);
    return MST_FLOW_OK;
}

#endif
