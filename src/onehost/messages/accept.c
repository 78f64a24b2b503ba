/*
 * Gives messages to the receives that match them, for accept.h.
 *
 * A message that its channel holds is copied at once. Of a larger one the rest follows when it has been
 * answered; one that can be read zero-copy is read, and the sender is told.
 */
#include "src/onehost/messages/accept.h"

#include <string.h>

#include "shm/base/error.h"
#include "shm/group/channel_in.h"
#include "src/onehost/group/remote.h"
#include "src/onehost/messages/unexpected.h"
#include "src/onehost/wait/broken.h"
#include "src/pure/dtype.h"
#include "src/pure/message.h"

#define VIEW_ANSWERS 16 /* room that is left for answers about views */

muster_status mst_incoming_damaged(mst_group *group, int peer)
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

/* ---- answers ---- */

static void finish(mst_group *group, mst_transfer *receive)
{
    mst_incoming_unwant(incoming_of(group), receive->peer);
    mst_message_tell(receive->result, receive->peer, receive->tag, receive->dtype, receive->total);
    mst_transfer_end(receive);
}

static mst_flow give_answer(mst_group *group, const mst_transfer *receive, mst_answer_kind kind,
                            uint64_t offset)
{
    return mst_channel_answer(&group->channels, receive->peer, kind, receive->number, offset,
                              kind == MST_ANSWER_REST || receive->total == 0 ? VIEW_ANSWERS : 0);
}

/* Answers, or leaves it for later if there is no room. A message of no bytes is over then. */
static muster_status answer_soon(mst_group *group, mst_transfer *receive, mst_answer_kind kind)
{
    mst_transfers *owing = &incoming_of(group)->sources[receive->peer].owing;
    mst_flow flow = owing->first ? MST_FLOW_NOT_NOW : give_answer(group, receive, kind, 0);

    receive->owed = kind;
    if (flow == MST_FLOW_DAMAGED)
        return damaged_answers(group, receive->peer);
    if (flow == MST_FLOW_NOT_NOW)
        mst_transfers_append(owing, receive);
    else if (kind == MST_ANSWER_READ)
        finish(group, receive);
    return MUSTER_OK;
}

muster_status mst_accept_pay(mst_group *group, int source, bool *moved)
{
    mst_transfers *owing = &incoming_of(group)->sources[source].owing;
    mst_flow flow = MST_FLOW_OK;

    while (owing->first && flow == MST_FLOW_OK) {
        mst_transfer *receive = owing->first;

        flow = give_answer(group, receive, receive->owed, 0);
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
    return mst_group_poison_pair(
        group, source, group->base.rank,
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

/* Of the sender's private memory. What we cannot read there it sends, as if it had been announced; there is
 * room for an answer, as for one about a view. */
static muster_status take_lent(mst_group *group, mst_transfer *receive, uint64_t place)
{
    if (!group->remotes)
        return mst_incoming_damaged(group, receive->peer);
    bool whole = mst_remote_read(group, receive->peer, receive->bytes, mst_address_of(place), receive->total);
    muster_status status = mst_group_was_whole(group); /* else the sender may have written there */
    if (status != MUSTER_OK)
        return status;
    receive->done = whole ? receive->total : 0;
    if (mst_channel_answer(&group->channels, receive->peer, whole ? MST_ANSWER_READ : MST_ANSWER_REST,
                           receive->number, 0, 0) != MST_FLOW_OK)
        return damaged_answers(group, receive->peer);
    if (whole)
        finish(group, receive);
    else
        mst_transfer_enter(&incoming_of(group)->receiving, receive);
    return MUSTER_OK;
}

/* If our buffer is an arena buffer, too, the sender writes its part there meanwhile. */
static muster_status take_view(mst_group *group, mst_transfer *receive, const mst_envelope *envelope)
{
    const void *from = mst_channel_view(&group->channels, receive->peer, envelope->offset, receive->total);
    uint64_t buffer = mst_group_heap_offset(group, receive->bytes, receive->total);

    if (!from)
        return mst_incoming_damaged(group, receive->peer);
    receive->sharing = buffer != 0;
    receive->done = buffer ? mst_group_readers_part(receive->total) : receive->total;
    mst_flow flow = buffer ? give_answer(group, receive, MST_ANSWER_WANTED, buffer) : MST_FLOW_OK;
    copy_view(group, receive, from, buffer != 0);
    muster_status status = mst_group_was_whole(group); /* else the sender may have written there */
    if (status != MUSTER_OK)
        return status;
    if (flow == MST_FLOW_OK)
        flow = give_answer(group, receive, MST_ANSWER_READ, 0);
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
    receive->done = envelope->bytes;
    for (size_t kept = record->further_bytes, i = 0, part; kept; kept -= part, i++) {
        part = mst_least(kept, MST_PART_BYTES);
        mst_channel_copy(&group->channels, receive->peer, record->further[i], MST_ENTRY_PART,
                         receive->bytes + receive->done, part);
        receive->done += part;
    }
}

/* Gives a message to the receive that matches it. `record`: it was kept; NULL: it is the channel's next. */
muster_status mst_accept(mst_group *group, mst_transfer *receive, int source, const mst_envelope *envelope,
                         mst_unexpected *record)
{
    if (!fits(receive, envelope))
        return refuse(group, receive, source, envelope);
    if (receive->peer == MUSTER_ANY_SOURCE) {
        mst_matching_serve(&incoming_of(group)->matching, source);
        mst_incoming_unwant(incoming_of(group), MUSTER_ANY_SOURCE);
        mst_incoming_want(incoming_of(group), source);
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
        return mst_is_address(envelope->offset) ? take_lent(group, receive, envelope->offset)
                                                : take_view(group, receive, envelope);
    if (receive->done < receive->total)
        mst_transfer_enter(&incoming_of(group)->receiving, receive);
    if (envelope->kind == MST_ENTRY_ANNOUNCED || receive->total > MST_EAGER_BYTES)
        return answer_soon(group, receive, receive->total ? MST_ANSWER_REST : MST_ANSWER_READ);
    if (receive->done == receive->total)
        finish(group, receive);
    return MUSTER_OK;
}

/* ---- what follows ---- */

muster_status mst_accept_further(mst_group *group, int source, const mst_envelope *envelope, bool express)
{
    mst_transfer *receive = mst_transfer_find(&incoming_of(group)->receiving, source, envelope->message);

    if (!receive && !express && mst_unexpected_keep_further(group, source, envelope))
        return MUSTER_OK;
    if (!receive || !fits_part(receive, envelope))
        return mst_incoming_damaged(group, source);
    void *to = envelope->bytes ? receive->bytes + envelope->offset : NULL;
    if (express)
        mst_channel_take_express(&group->channels, source, envelope, to);
    else
        mst_channel_take(&group->channels, source, envelope, to);
    took(group, receive, receive->sharing ? receive->total - receive->done : envelope->bytes);
    return MUSTER_OK;
}
