/* Sending messages, for send.h. */
#include "src/wire/send.h"

#include "src/wire/arrive.h"
#include "src/wire/move.h"
#include "src/wire/offers.h"
#include "src/wire/parts.h"

/* Whether to look for frames before a message is sent: where it cannot go, as credit may have come, and after
 * a number of messages. */
static bool is_to_look(mst_wire_group *group, int to, size_t bytes)
{
    bool waits = group->offers[to].waiting.first, small = bytes <= MST_WIRE_EAGER_BYTES;

    if (++group->wire->unmoved >= MST_WIRE_SENDS_UNMOVED)
        return true;
    return !waits && (small ? !mst_wire_has_room(group, to, bytes) : !mst_wire_may_go(group, to, bytes));
}

muster_status mst_wire_send(mst_wire_op *op)
{
    mst_wire_group *group = op->group;
    const mst_message *message = &op->message;
    bool moved;

    op->peer = message->destination;
    if (op->peer == group->base.rank)
        return mst_wire_arrive_own(op) ? MUSTER_OK
                                       : mst_fail(MUSTER_ERR_NO_MEMORY,
                                                  "no memory for a message of %zu bytes", message->out_bytes);
    if (is_to_look(group, op->peer, message->out_bytes))
        mst_wire_move(group->wire, &moved);
    mst_wire_list(&group->offers[op->peer].waiting, op);
    mst_wire_send_waiting(group, op->peer);
    return MUSTER_OK;
}
