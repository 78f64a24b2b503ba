/*
 * Moves receives, for incoming.h.
 *
 * Only channels from which something is wanted are looked at, entry by entry. A message goes to the first
 * receive that matches it, or is kept: its bytes stay in the channel, and what is known of it is in a private
 * record. Bytes that follow later have the number of their message, so they find their receive in any order.
 */
#include "src/onehost/incoming.h"

#include <string.h>

#include "shm/base/error.h"
#include "shm/group/channel_in.h"
#include "src/onehost/broken.h"
#include "src/onehost/unexpected.h"
#include "src/pure/dtype.h"
#include "src/pure/message.h"

#define VIEW_ANSWERS 16 /* room that is left for answers about views */

static muster_status damaged(mst_group *group, int peer)
{
    return mst_group_poison(group, MST_POISON_DAMAGE,
                            "rank %d found no message where one from rank %d should begin or continue: the "
                            "arena is damaged",
                            group->base.rank, peer);
}

static muster_status damaged_answers(mst_group *group, int peer)
{
    return mst_group_poison(
        group, MST_POISON_DAMAGE,
        "rank %d found an impossible count of answers that rank %d has read: the arena is "
        "damaged",
        group->base.rank, peer);
}

static mst_incoming *incoming_of(mst_group *group)
{
    return &group->traffic.incoming;
}

/* ---- what is wanted ---- */

static void want(mst_group *group, int source)
{
    mst_incoming *incoming = incoming_of(group);

    incoming->pending++;
    if (source == MUSTER_ANY_SOURCE)
        incoming->any_source++;
    else if (incoming->sources[source].wanted++ == 0)
        mst_members_add(&incoming->wanted, source);
}

static void unwant(mst_group *group, int source)
{
    mst_incoming *incoming = incoming_of(group);

    incoming->pending--;
    if (source == MUSTER_ANY_SOURCE)
        incoming->any_source--;
    else if (--incoming->sources[source].wanted == 0)
        mst_members_remove(&incoming->wanted, source);
}

static bool is_wanted(const mst_group *group, int source)
{
    const mst_incoming *incoming = &group->traffic.incoming;

    return incoming->any_source > 0 || incoming->sources[source].wanted > 0;
}

/* ---- answers ---- */

static void finish(mst_group *group, mst_transfer *receive)
{
    unwant(group, receive->peer);
    mst_message_tell(receive->result, receive->peer, receive->tag, receive->dtype, receive->total);
    mst_transfer_end(receive);
}

static mst_flow answer(mst_group *group, const mst_transfer *receive, mst_answer_kind kind, uint64_t offset)
{
    return mst_channel_answer(&group->channels, receive->peer, kind, receive->number, offset,
                              kind == MST_ANSWER_REST || receive->total == 0 ? VIEW_ANSWERS : 0);
}

/* Answers, or leaves it for later if there is no room. A message of no bytes is over then. */
static muster_status answer_soon(mst_group *group, mst_transfer *receive, mst_answer_kind kind)
{
    mst_transfers *owing = &incoming_of(group)->sources[receive->peer].owing;
    mst_flow flow = owing->first ? MST_FLOW_NOT_NOW : answer(group, receive, kind, 0);

    receive->owed = kind;
    if (flow == MST_FLOW_DAMAGED)
        return damaged_answers(group, receive->peer);
    if (flow == MST_FLOW_NOT_NOW)
        mst_transfers_append(owing, receive);
    else if (kind == MST_ANSWER_READ)
        finish(group, receive);
    return MUSTER_OK;
}

static muster_status pay(mst_group *group, int source, bool *moved)
{
    mst_transfers *owing = &incoming_of(group)->sources[source].owing;
    mst_flow flow = MST_FLOW_OK;

    while (owing->first && flow == MST_FLOW_OK) {
        mst_transfer *receive = owing->first;

        flow = answer(group, receive, receive->owed, 0);
        if (flow != MST_FLOW_OK)
            break;
        mst_transfers_remove_first(owing);
        if (receive->owed == MST_ANSWER_READ)
            finish(group, receive);
        *moved = true;
    }
    return flow == MST_FLOW_DAMAGED ? damaged_answers(group, source) : MUSTER_OK;
}

/* ---- taking messages ---- */

static muster_status refuse(mst_group *group, const mst_transfer *receive, int source,
                            const mst_envelope *envelope)
{
    size_t element = muster_dtype_size((muster_dtype)envelope->type);
    char expected[MST_DTYPE_NAME_BYTES], sent[MST_DTYPE_NAME_BYTES], tagged[MST_TAG_BYTES];

    mst_dtype_describe(receive->dtype, expected);
    mst_dtype_describe((muster_dtype)envelope->type, sent);
    mst_tag_describe(envelope->tag, tagged);
    return mst_group_poison_about(
        group, MST_POISON_MISMATCH, source,
        "rank %d expected a message of %s x %s%zu from rank %d, which sent %s x %zu with %s",
        group->base.rank, expected, receive->exact ? "" : "up to ",
        receive->room / muster_dtype_size(receive->dtype), source, sent,
        element ? (size_t)envelope->total / element : 0, tagged);
}

/* A message of no elements has no type that could disagree. */
static bool fits(const mst_transfer *receive, const mst_envelope *envelope)
{
    return (envelope->type == (uint32_t)receive->dtype || envelope->total == 0) &&
           envelope->total <= receive->room && (!receive->exact || envelope->total == receive->room);
}

/* A part of a message, or the part of a view that the sender has written. */
static bool fits_part(const mst_transfer *receive, const mst_envelope *envelope)
{
    if (envelope->kind == MST_ENTRY_WRITTEN)
        return receive->sharing;
    return !receive->sharing && envelope->offset <= receive->total &&
           envelope->bytes <= receive->total - envelope->offset;
}

static void took(mst_group *group, mst_transfer *receive, size_t bytes)
{
    receive->done += bytes;
    if (receive->done < receive->total)
        return;
    mst_table_remove(&incoming_of(group)->receiving, &receive->node);
    finish(group, receive);
}

static void copy_view(mst_group *group, mst_transfer *receive, const void *from, bool shared)
{
    if (shared)
        mst_group_copy_within_arena(group, &group->channels.incoming[receive->peer], receive->bytes, from,
                                    receive->done);
    else
        memcpy(receive->bytes, from, receive->done);
}

/* If our buffer is an arena buffer, too, the sender writes its part there meanwhile. */
static muster_status take_view(mst_group *group, mst_transfer *receive, const mst_envelope *envelope)
{
    const void *from = mst_channel_view(&group->channels, receive->peer, envelope->offset, receive->total);
    uint64_t buffer = mst_group_heap_offset(group, receive->bytes, receive->total);

    if (!from)
        return damaged(group, receive->peer);
    receive->sharing = buffer != 0;
    receive->done = buffer ? mst_group_readers_part(receive->total) : receive->total;
    mst_flow flow = buffer ? answer(group, receive, MST_ANSWER_WANTED, buffer) : MST_FLOW_OK;
    copy_view(group, receive, from, buffer != 0);
    muster_status status = mst_group_was_whole(group); /* else the sender may have written there */
    if (status != MUSTER_OK)
        return status;
    if (flow == MST_FLOW_OK)
        flow = answer(group, receive, MST_ANSWER_READ, 0);
    if (flow != MST_FLOW_OK) /* senders leave room for these */
        return damaged_answers(group, receive->peer);
    if (buffer)
        mst_transfer_enter(&incoming_of(group)->receiving, receive);
    else
        finish(group, receive);
    return MUSTER_OK;
}

/* Bytes of a kept message that are in the channel. */
static void copy_kept(mst_group *group, mst_transfer *receive, const mst_unexpected *record)
{
    const mst_envelope *envelope = &record->envelope;

    if (envelope->bytes)
        mst_channel_copy(&group->channels, receive->peer, record->kept.at, envelope->kind, receive->bytes,
                         envelope->bytes);
    if (record->second)
        mst_channel_copy(&group->channels, receive->peer, record->second, MST_ENTRY_PART,
                         receive->bytes + envelope->bytes, record->second_bytes);
    receive->done = envelope->bytes + record->second_bytes;
}

/* Whether a message can be what it says of itself. */
static bool is_possible(const mst_envelope *envelope)
{
    size_t element = muster_dtype_size((muster_dtype)envelope->type);

    if (element == 0 || envelope->tag < 0 || envelope->total > PTRDIFF_MAX || envelope->total % element)
        return false;
    return envelope->kind == MST_ENTRY_FIRST
               ? envelope->bytes == MST_PART_BYTES && envelope->total > MST_PART_BYTES
               : envelope->kind == MST_ENTRY_WHOLE || envelope->bytes == 0;
}

/* Gives a message to the receive that matches it. `record`: it was kept; NULL: it is the channel's next. */
static muster_status accept(mst_group *group, mst_transfer *receive, int source, const mst_envelope *envelope,
                            mst_unexpected *record)
{
    if (!fits(receive, envelope))
        return refuse(group, receive, source, envelope);
    if (receive->peer == MUSTER_ANY_SOURCE) {
        mst_matching_serve(&incoming_of(group)->matching, source);
        unwant(group, MUSTER_ANY_SOURCE);
        want(group, source);
    }
    receive->peer = source;
    receive->tag = envelope->tag;
    receive->dtype = (muster_dtype)envelope->type;
    receive->number = envelope->number;
    receive->total = (size_t)envelope->total;
    receive->state = MST_TRANSFER_MOVES;
    receive->done = envelope->bytes;
    if (record) {
        copy_kept(group, receive, record);
        mst_unexpected_release(group, source, record);
    } else {
        mst_channel_take(&group->channels, source, envelope, envelope->bytes ? receive->bytes : NULL);
    }
    if (envelope->kind == MST_ENTRY_VIEW || envelope->kind == MST_ENTRY_ANNOUNCED_VIEW)
        return take_view(group, receive, envelope);
    if (receive->done < receive->total)
        mst_transfer_enter(&incoming_of(group)->receiving, receive);
    if (envelope->kind == MST_ENTRY_ANNOUNCED || receive->total > MST_EAGER_BYTES)
        return answer_soon(group, receive, receive->total ? MST_ANSWER_REST : MST_ANSWER_READ);
    if (receive->done == receive->total)
        finish(group, receive);
    return MUSTER_OK;
}

/* ---- going through a channel ---- */

static muster_status take_first(mst_group *group, int source, const mst_envelope *envelope)
{
    if (!is_possible(envelope))
        return damaged(group, source);
    mst_match_node *found = mst_matching_arrive(&incoming_of(group)->matching, source, envelope->tag);
    if (!found)
        return mst_unexpected_keep(group, source, envelope);
    return accept(group, (mst_transfer *)found, source, envelope, NULL);
}

static muster_status take_further(mst_group *group, int source, const mst_envelope *envelope, bool express)
{
    mst_transfer *receive = mst_transfer_find(&incoming_of(group)->receiving, source, envelope->message);

    if (!receive && !express && mst_unexpected_keep_second(group, source, envelope))
        return MUSTER_OK;
    if (!receive || !fits_part(receive, envelope))
        return damaged(group, source);
    void *to = envelope->bytes ? receive->bytes + envelope->offset : NULL;
    if (express)
        mst_channel_take_express(&group->channels, source, envelope, to);
    else
        mst_channel_take(&group->channels, source, envelope, to);
    took(group, receive, receive->sharing ? receive->total - receive->done : envelope->bytes);
    return MUSTER_OK;
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
        return damaged(group, source);
    *moved = true;
    return take_further(group, source, &envelope, true);
}

/* Takes the channel's entries as long as something is wanted of it; of messages for any source only one, as
 * it is the others' turn. A sender whose ring is full of what we keep is told. */
static muster_status move_from(mst_group *group, int source, bool *moved)
{
    muster_status status = move_express(group, source, moved);
    bool took_turn = false;

    if (status == MUSTER_OK)
        status = pay(group, source, moved);
    while (status == MUSTER_OK && is_wanted(group, source) && !took_turn) {
        mst_envelope envelope;
        mst_flow flow = mst_channel_look(&group->channels, source, &envelope);
        int any_source = incoming_of(group)->any_source;

        if (flow == MST_FLOW_DAMAGED)
            return damaged(group, source);
        if (flow == MST_FLOW_NOT_NOW) {
            if (group->channels.incoming[source].kept_first)
                mst_channel_starve(&group->channels, source);
            break;
        }
        *moved = true;
        status = is_further(&envelope) ? take_further(group, source, &envelope, false)
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

    want(group, receive->peer);
    receive->node.source = receive->peer;
    receive->node.tag = receive->tag;
    if (!found) {
        mst_matching_post(matching, &receive->node);
        return MUSTER_OK;
    }
    mst_matching_take(matching, found);
    mst_unexpected *record = mst_unexpected_of(found);
    mst_envelope envelope = record->envelope;
    return accept(group, receive, found->source, &envelope, record);
}

void mst_incoming_remove(mst_group *group, mst_transfer *receive)
{
    mst_matching_unpost(&incoming_of(group)->matching, &receive->node);
    unwant(group, receive->peer);
}

/* While a probe looks, all that comes of its source is wanted. */
muster_status mst_incoming_probe(mst_group *group, int source, int tag, const mst_unexpected **found)
{
    mst_matching *matching = &incoming_of(group)->matching;
    bool moved = false;
    muster_status status = MUSTER_OK;

    mst_match_node *node = mst_matching_find(matching, source, tag);
    if (!node) {
        want(group, source);
        status = mst_incoming_move(group, &moved);
        unwant(group, source);
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

void mst_incoming_hint(mst_group *group, mst_transfer *receive)
{
    const mst_incoming *incoming = &group->traffic.incoming;

    if (receive->hinted || receive->state != MST_TRANSFER_WAITS || receive->peer == MUSTER_ANY_SOURCE ||
        receive->room < group->tuning.view_bytes_min || incoming->any_source ||
        incoming->sources[receive->peer].wanted != 1 || !group->channels.incoming[receive->peer].channel ||
        incoming->matching.by_source[receive->peer].first)
        return;
    receive->hinted = true;
    mst_channel_post(&group->channels, receive->peer, receive->tag);
}
