/*
 * Moves receives, for incoming.h.
 *
 * Only channels from which something is wanted are looked at, entry by entry. A message goes to the first
 * receive that matches it, or is kept: its bytes stay in the channel, and what is known of it is in a private
 * record. Bytes that follow later have the number of their message, so they find their receive in any order.
 */
#include "src/onehost/messages/incoming.h"

#include "shm/group/channel_in.h"
#include "src/onehost/messages/accept.h"
#include "src/onehost/messages/unexpected.h"
#include "src/pure/dtype.h"

static mst_incoming *incoming_of(mst_group *group)
{
    return &group->traffic.incoming;
}

/* ---- going through a channel ---- */

static bool is_wanted(const mst_group *group, int source)
{
    const mst_incoming *incoming = &group->traffic.incoming;

    return incoming->any_source > 0 || incoming->sources[source].wanted > 0;
}

/* A division takes as long as all else that is done with a small message. */
static bool is_multiple(uint64_t bytes, size_t element)
{
    return (element & (element - 1)) == 0 ? (bytes & (element - 1)) == 0 : bytes % element == 0;
}

/* Whether a message can be what it says of itself. */
static bool is_possible(const mst_envelope *envelope)
{
    size_t element = muster_dtype_size((muster_dtype)envelope->type);

    if (element == 0 || envelope->tag < 0 || envelope->total > PTRDIFF_MAX ||
        !is_multiple(envelope->total, element))
        return false;
    return envelope->kind == MST_ENTRY_FIRST
               ? envelope->bytes == MST_PART_BYTES && envelope->total > MST_PART_BYTES
               : envelope->kind == MST_ENTRY_WHOLE || envelope->bytes == 0;
}

static muster_status take_first(mst_group *group, int source, const mst_envelope *envelope)
{
    if (!is_possible(envelope))
        return mst_incoming_damaged(group, source);
    mst_match_node *found = mst_matching_arrive(&incoming_of(group)->matching, source, envelope->tag);
    if (!found)
        return mst_unexpected_keep(group, source, envelope);
    return mst_accept(group, (mst_transfer *)found, source, envelope, NULL);
}

static bool is_further(const mst_envelope *envelope)
{
    return envelope->kind == MST_ENTRY_PART || envelope->kind == MST_ENTRY_WRITTEN;
}

static muster_status move_express(mst_group *group, int source, bool *moved)
{
    mst_envelope envelope;

    if (!group->channels.incoming[source].channel || !incoming_of(group)->receiving.count)
        return MUSTER_OK;
    mst_flow flow = mst_channel_look_express(&group->channels, source, &envelope);
    if (flow == MST_FLOW_NOT_NOW)
        return MUSTER_OK;
    if (flow == MST_FLOW_DAMAGED || !is_further(&envelope))
        return mst_incoming_damaged(group, source);
    *moved = true;
    return mst_accept_further(group, source, &envelope, true);
}

/* Takes the channel's entries as long as something is wanted of it; of messages for any source only one, as
 * it is the others' turn. A sender whose ring is full of what we keep is told. */
static muster_status move_from(mst_group *group, int source, bool *moved)
{
    muster_status status = move_express(group, source, moved);
    bool took_turn = false;

    if (status == MUSTER_OK)
        status = mst_accept_pay(group, source, moved);
    while (status == MUSTER_OK && is_wanted(group, source) && !took_turn) {
        mst_envelope envelope;
        mst_flow flow = mst_channel_look(&group->channels, source, &envelope);
        int any_source = incoming_of(group)->any_source;

        if (flow == MST_FLOW_DAMAGED)
            return mst_incoming_damaged(group, source);
        if (flow == MST_FLOW_NOT_NOW) {
            if (group->channels.incoming[source].kept_first)
                mst_channel_starve(&group->channels, source);
            break;
        }
        *moved = true;
        status = is_further(&envelope) ? mst_accept_further(group, source, &envelope, false)
                                       : take_first(group, source, &envelope);
        took_turn = incoming_of(group)->any_source < any_source;
    }
    return status;
}

static muster_status move_from_all(mst_group *group, bool *moved)
{
    int size = group->base.size, first = incoming_of(group)->matching.served + 1;
    muster_status status = MUSTER_OK;

    for (int i = 0; i < size && status == MUSTER_OK; i++)
        status = move_from(group, (first + i) % size, moved);
    return status;
}

muster_status mst_incoming_move(mst_group *group, bool *moved)
{
    const mst_incoming *incoming = &group->traffic.incoming;
    muster_status status = MUSTER_OK;

    if (incoming->any_source)
        return move_from_all(group, moved);
    for (int i = incoming->wanted.count - 1; i >= 0 && status == MUSTER_OK; i--)
        status = move_from(group, incoming->wanted.list[i], moved);
    return status;
}

/* ---- receives and probes ---- */

muster_status mst_incoming_add(mst_group *group, mst_transfer *receive)
{
    mst_matching *matching = &incoming_of(group)->matching;
    mst_match_node *found = mst_matching_find(matching, receive->peer, receive->tag);

    mst_incoming_want(incoming_of(group), receive->peer);
    receive->node.source = receive->peer;
    receive->node.tag = receive->tag;
    if (!found) {
        mst_matching_post(matching, &receive->node);
        return MUSTER_OK;
    }
    mst_matching_take(matching, found);
    mst_unexpected *record = mst_unexpected_of(found);
    mst_envelope envelope = record->envelope;
    return mst_accept(group, receive, found->source, &envelope, record);
}

void mst_incoming_remove(mst_group *group, mst_transfer *receive)
{
    mst_matching_unpost(&incoming_of(group)->matching, &receive->node);
    mst_incoming_unwant(incoming_of(group), receive->peer);
}

/* While a probe looks, all that comes of its source is wanted. */
muster_status mst_incoming_probe(mst_group *group, int source, int tag, const mst_unexpected **found)
{
    mst_matching *matching = &incoming_of(group)->matching;
    bool moved = false;
    muster_status status = MUSTER_OK;

    mst_match_node *node = mst_matching_find(matching, source, tag);
    if (!node) {
        mst_incoming_want(incoming_of(group), source);
        status = mst_incoming_move(group, &moved);
        mst_incoming_unwant(incoming_of(group), source);
        if (moved) /* of another receive, perhaps, which may be another thread's */
            mst_messages_moved(group);
        node = mst_matching_find(matching, source, tag);
    }
    *found = node ? mst_unexpected_of(node) : NULL;
    return status;
}

void mst_messages_moved(mst_group *group)
{
    mst_channels_ring(&group->channels, group->base.rank);
    mst_deadlock_over(&group->subarena->attachment->deadlock);
}

/* Whether a message for so much room may come without a copy in between. */
static bool may_be_lent(const mst_group *group, size_t room)
{
    return room >= mst_least(group->tuning.lent_bytes_min, group->tuning.one_copy_bytes_min);
}

void mst_incoming_hint_next(mst_group *group, const mst_message *message)
{
    if (may_be_lent(group, message->in_bytes) && group->channels.incoming[message->source].channel)
        mst_channel_post(&group->channels, message->source, message->receive_tag);
}

void mst_incoming_hint(mst_group *group, mst_transfer *receive)
{
    const mst_incoming *incoming = &group->traffic.incoming;

    if (receive->hinted || receive->state != MST_TRANSFER_WAITS || receive->peer == MUSTER_ANY_SOURCE ||
        !may_be_lent(group, receive->room) || incoming->any_source ||
        incoming->sources[receive->peer].wanted != 1 || !group->channels.incoming[receive->peer].channel ||
        incoming->matching.by_source[receive->peer].first)
        return;
    receive->hinted = true;
    mst_channel_post(&group->channels, receive->peer, receive->tag);
}
