/* Which messages go, for offers.h. */
#include "src/wire/offers.h"

#include "src/wire/parts.h"
#include "src/wire/post.h"

/* ---- at the sender ---- */

bool mst_wire_has_room(const mst_wire_group *group, int to, size_t bytes)
{
    return bytes <= MST_WIRE_EAGER_BYTES &&
           group->spent[to] + mst_wire_credit_of(bytes) <= MST_WIRE_CREDIT_MAX;
}

bool mst_wire_may_go(const mst_wire_group *group, int to, size_t bytes)
{
    return group->offers[to].may_go > 0 || mst_wire_has_room(group, to, bytes);
}

static void go(mst_wire_op *op)
{
    mst_wire_group *group = op->group;
    const mst_message *message = &op->message;
    mst_wire_head head = { .kind = MST_WIRE_OFFER,
                           .tag = message->send_tag,
                           .dtype = (int32_t)message->dtype,
                           .bytes = message->out_bytes };

    op->over = mst_wire_has_room(group, op->peer, message->out_bytes);
    if (op->over) {
        mst_wire_no_longer_pending(op);
        head.kind = MST_WIRE_MESSAGE;
        group->spent[op->peer] += mst_wire_credit_of(message->out_bytes);
    } else {
        group->offers[op->peer].may_go--;
        mst_wire_identify(op);
        head.id = op->id;
    }
    mst_wire_post_to(group, op->peer, head, message->out, op->over ? message->out_bytes : 0);
}

/* Else it would be taken for sent. */
static bool is_whole(const mst_wire_group *group)
{
    return group->broken.status == MUSTER_OK && !group->wire->why[0] && !group->wire->has_left;
}

void mst_wire_send_waiting(mst_wire_group *group, int to)
{
    mst_wire_op *op;

    while ((op = group->offers[to].waiting.first) && is_whole(group) &&
           mst_wire_may_go(group, to, op->message.out_bytes)) {
        mst_wire_unlist(op);
        go(op);
    }
}

/* ---- at the receiver ---- */

static void want_of(mst_wire_group *group, int source)
{
    mst_wire_offers *offers = &group->offers[source];

    if (offers->may_come > 0 || source == group->base.rank)
        return;
    offers->may_come += MST_WIRE_OFFERS_MAX;
    mst_wire_post_to(group, source, (mst_wire_head){ .kind = MST_WIRE_WANTED }, NULL, 0);
}

void mst_wire_want(mst_wire_group *group, int source)
{
    if (source != MUSTER_ANY_SOURCE)
        want_of(group, source);
    else
        for (int rank = 0; rank < group->base.size; rank++)
            want_of(group, rank);
}

void mst_wire_count_wanted(mst_wire_group *group, int source, int change)
{
    *(source == MUSTER_ANY_SOURCE ? &group->wanted_of_any : &group->offers[source].wanted) += change;
}

bool mst_wire_be_offered(mst_wire_group *group, int source)
{
    uint32_t *may_come = &group->offers[source].may_come;

    return *may_come > 0 && (*may_come)-- > 0;
}

void mst_wire_have_accepted(mst_wire_group *group, int source)
{
    group->offers[source].may_come++;
}

void mst_wire_have_kept(mst_wire_group *group, int source)
{
    if (group->wanted_of_any || group->offers[source].wanted)
        want_of(group, source);
}
