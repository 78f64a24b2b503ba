/* Sending messages, for send.h. */
#include "src/wire/send.h"

#include "src/wire/arrive.h"
#include "src/wire/move.h"
#include "src/wire/parts.h"
#include "src/wire/post.h"

bool mst_wire_has_room(const mst_wire_group *group, int to, size_t bytes)
{
    return group->weights[to] + mst_wire_weight(bytes) <= MST_WIRE_WEIGHT_MAX;
}

/* Whether the message goes at once. A rank that sends on and on looks now and then what has come: what has
 * been received makes room. */
static bool goes_at_once(mst_wire_group *group, int to, size_t bytes)
{
    mst_wire *wire = group->wire;
    bool moved, is_small = bytes <= MST_WIRE_EAGER_BYTES;

    if (is_small && (++wire->unmoved >= MST_WIRE_SENDS_UNMOVED || !mst_wire_has_room(group, to, bytes)))
        mst_wire_move(wire, &moved);
    return is_small && mst_wire_has_room(group, to, bytes);
}

muster_status mst_wire_send(mst_wire_op *op)
{
    mst_wire_group *group = op->group;
    const mst_message *message = &op->message;
    int to = message->destination;
    mst_wire_head head = { .kind = MST_WIRE_OFFER,
                           .tag = message->send_tag,
                           .dtype = (int32_t)message->dtype,
                           .bytes = message->out_bytes };

    op->peer = to;
    if (to == group->base.rank) {
        op->over = mst_wire_arrive_own(group, message);
        return op->over ? MUSTER_OK
                        : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a message of %zu bytes",
                                   message->out_bytes);
    }
    op->over = goes_at_once(group, to, message->out_bytes);
    if (op->over) {
        head.kind = MST_WIRE_MESSAGE;
        group->weights[to] += mst_wire_weight(message->out_bytes);
    } else {
        mst_wire_identify(op);
        head.id = op->id;
    }
    mst_wire_post_to(group, to, head, message->out, op->over ? message->out_bytes : 0);
    return MUSTER_OK;
}
