/*
 * Moves sends, for outgoing.h.
 *
 * A message of up to MST_EAGER_BYTES travels by itself, in up to four entries. Of a longer one the first
 * parts do, and the rest when the receiver has matched it and asks: so later messages can pass it. A large
 * message in an arena buffer is sent as a view, which the receiver reads without staging, if the receiver
 * already waits for it or it could not travel by itself; if the receiver's buffer is an arena buffer, too,
 * the sender writes half of it. Messages to one destination get their first entries in the order in which
 * they were sent. If there is no room, they wait; if the receiver has looked at all there is and still needs
 * something, they are announced.
 *
 * Cost: a small message (40 bytes) is one line; others take two copies, which overlap from part to part; from
 * an arena buffer one copy and a line back.
 */
#include "src/onehost/messages/outgoing.h"

#include <string.h>

#include "shm/group/channel_out.h"
#include "src/onehost/group/remote.h"
#include "src/onehost/wait/broken.h"

#define VIEWS_MAX 8 /* that one receiver has not read: each has two answers, for which there must be room */

static_assert(2 * VIEWS_MAX < MST_ANSWERS, "answers about views always have room");

static muster_status damaged(mst_group *group, int peer)
{
    return mst_group_poison(group, MST_POISON_DAMAGE,
                            "rank %d found an impossible position in the channel to rank %d: the arena is "
                            "damaged",
                            group->base.rank, peer);
}

static struct mst_destination *destination_of(mst_group *group, int peer)
{
    return &group->traffic.outgoing.destinations[peer];
}

void mst_outgoing_add(mst_group *group, mst_transfer *transfer)
{
    mst_transfers_append(&destination_of(group, transfer->peer)->queue, transfer);
    mst_members_add(&group->traffic.outgoing.busy, transfer->peer);
}

/* ---- first entries ---- */

uint64_t mst_outgoing_place(const mst_group *group, int peer, const void *bytes, size_t total)
{
    uint64_t offset = total >= group->tuning.lent_bytes_min ? mst_group_heap_offset(group, bytes, total) : 0;

    if (offset || total < group->tuning.one_copy_bytes_min || total > group->tuning.one_copy_bytes_max ||
        group->traffic.outgoing.destinations[peer].refuses)
        return offset;
    return mst_address_mark(bytes);
}

/* The place of a message that should be sent as a view; 0: it should be copied. */
static uint64_t view_offset(const mst_group *group, const mst_transfer *send)
{
    if (send->total == 0 || send->peer == group->base.rank ||
        group->traffic.outgoing.destinations[send->peer].views == VIEWS_MAX)
        return 0;
    uint64_t offset = mst_outgoing_place(group, send->peer, send->bytes, send->total);
    if (offset &&
        (send->total > MST_EAGER_BYTES || mst_channel_is_awaited(&group->channels, send->peer, send->tag)))
        return offset;
    return 0;
}

static mst_envelope envelope_of(const mst_transfer *send, mst_entry_kind kind)
{
    return (
        mst_envelope){ .kind = kind, .tag = send->tag, .type = (uint32_t)send->dtype, .total = send->total };
}

/* The receiver knows of the send and has to answer. */
static void tell(mst_group *group, mst_transfer *send, uint64_t place)
{
    bool viewed = place != 0;

    send->state = MST_TRANSFER_TOLD;
    send->viewed = viewed;
    send->lent = mst_is_address(place);
    mst_transfer_enter(&group->traffic.outgoing.told, send);
    destination_of(group, send->peer)->told++;
    destination_of(group, send->peer)->views += viewed;
}

/* The receiver cannot read our memory: it gets this message as if it had been announced, and later ones are
 * copied. */
static bool take_back(mst_group *group, mst_transfer *send)
{
    struct mst_destination *destination = destination_of(group, send->peer);

    if (!send->lent || send->read)
        return false;
    send->viewed = send->lent = false;
    destination->views--;
    destination->refuses = true;
    return true;
}

static mst_flow put_view(mst_group *group, mst_transfer *send, uint64_t offset)
{
    mst_envelope envelope = envelope_of(send, MST_ENTRY_VIEW);

    envelope.offset = offset;
    mst_flow flow = mst_channel_put(&group->channels, send->peer, &envelope, NULL);
    if (flow == MST_FLOW_OK)
        tell(group, send, offset);
    return flow;
}

static mst_flow put_part(mst_group *group, mst_transfer *send)
{
    mst_envelope envelope = envelope_of(send, MST_ENTRY_PART);

    envelope.message = send->number;
    envelope.offset = send->done;
    envelope.bytes = mst_least(send->total - send->done,
                               send->done < MST_EAGER_BYTES ? MST_PART_BYTES : MST_REST_PART_BYTES);
    mst_flow flow = mst_channel_put(&group->channels, send->peer, &envelope, send->bytes + send->done);
    if (flow == MST_FLOW_OK)
        send->done += envelope.bytes;
    return flow;
}

/* Puts the entries that travel by themselves: all or none, so that they are adjacent. The send stays in its
 * state if these are all. */
static mst_flow put_eager(mst_group *group, mst_transfer *send)
{
    bool whole = send->total <= MST_PART_BYTES;
    mst_envelope envelope = envelope_of(send, whole ? MST_ENTRY_WHOLE : MST_ENTRY_FIRST);
    mst_flow flow = MST_FLOW_OK;

    envelope.bytes = mst_least(send->total, MST_PART_BYTES);
    if (!whole)
        flow = mst_channel_has_room(&group->channels, send->peer, send->total);
    if (flow == MST_FLOW_OK)
        flow = mst_channel_put(&group->channels, send->peer, &envelope, send->bytes);
    if (flow != MST_FLOW_OK)
        return flow;
    send->done = envelope.bytes;
    while (flow == MST_FLOW_OK && send->done < mst_least(send->total, MST_EAGER_BYTES))
        flow = put_part(group, send);
    if (send->done < send->total)
        tell(group, send, 0);
    return flow;
}

static mst_flow announce(mst_group *group, mst_transfer *send, uint64_t view)
{
    mst_envelope envelope = envelope_of(send, view ? MST_ENTRY_ANNOUNCED_VIEW : MST_ENTRY_ANNOUNCED);

    envelope.offset = view;
    mst_flow flow = mst_channel_announce(&group->channels, send->peer, &envelope);
    if (flow == MST_FLOW_OK)
        tell(group, send, view);
    return flow;
}

/* Puts first entries in order. Once the receiver starves, as many messages as possible are announced. */
static mst_flow put_queue(mst_group *group, int peer, bool *moved)
{
    mst_transfers *queue = &destination_of(group, peer)->queue;
    mst_flow flow = MST_FLOW_OK;
    bool starved = false;

    while (queue->first && flow == MST_FLOW_OK) {
        mst_transfer *send = queue->first;
        uint64_t view = view_offset(group, send);

        send->number = group->channels.outgoing[peer].number;
        flow = view ? put_view(group, send, view) : put_eager(group, send);
        starved = flow == MST_FLOW_NOT_NOW && (starved || mst_channel_is_starved(&group->channels, peer));
        if (starved)
            flow = announce(group, send, view);
        if (flow != MST_FLOW_OK)
            break;
        *moved = true;
        mst_transfers_remove_first(queue);
        if (send->state == MST_TRANSFER_WAITS)
            mst_transfer_end(send);
    }
    return flow;
}

/* ---- answers ---- */

static void leave_table(mst_group *group, mst_transfer *send)
{
    mst_table_remove(&group->traffic.outgoing.told, &send->node);
    destination_of(group, send->peer)->told--;
    mst_transfer_end(send);
}

/* A view is over when it has been read, and our part of it written. */
static void end_view(mst_group *group, mst_transfer *send)
{
    if (!send->read || send->sharing)
        return;
    destination_of(group, send->peer)->views--;
    leave_table(group, send);
}

static void grant(mst_group *group, mst_transfer *send)
{
    send->state = MST_TRANSFER_MOVES;
    mst_transfers_append(&destination_of(group, send->peer)->granted, send);
}

/* Writes our part of a view into the receiver's buffer; an entry is to tell it. */
static bool write_share(mst_group *group, mst_transfer *send, uint64_t offset)
{
    size_t part = mst_group_readers_part(send->total);
    unsigned char *buffer = mst_channel_buffer(&group->channels, send->peer, offset, send->total);

    if (!buffer)
        return false;
    mst_group_copy_within_arena(group, &group->channels.outgoing[send->peer], buffer + part,
                                send->bytes + part, send->total - part);
    send->sharing = true;
    grant(group, send);
    return true;
}

static bool follow(mst_group *group, mst_transfer *send, const mst_answer_copy *answer)
{
    bool waits = send->state == MST_TRANSFER_TOLD;

    switch (answer->kind) {
    case MST_ANSWER_REST:
        if (!waits || (send->viewed && !take_back(group, send)) || send->done == send->total)
            return false;
        grant(group, send);
        return true;
    case MST_ANSWER_WANTED:
        return waits && send->viewed && !send->lent && !send->read &&
               write_share(group, send, answer->offset);
    default:
        if (send->read || (!send->viewed && send->total > 0))
            return false;
        send->read = true;
        if (send->viewed)
            end_view(group, send);
        else
            leave_table(group, send); /* an announced message of no bytes */
        return true;
    }
}

static mst_flow read_answers(mst_group *group, int peer, bool *moved)
{
    while (destination_of(group, peer)->told) {
        mst_answer_copy answer;
        mst_flow flow = mst_channel_read_answer(&group->channels, peer, &answer);

        if (flow == MST_FLOW_NOT_NOW)
            break;
        mst_transfer *send = mst_transfer_find(&group->traffic.outgoing.told, peer, answer.message);
        if (flow == MST_FLOW_DAMAGED || !send || !follow(group, send, &answer))
            return MST_FLOW_DAMAGED;
        *moved = true;
    }
    return MST_FLOW_OK;
}

/* ---- further entries ---- */

static mst_flow put_written(mst_group *group, mst_transfer *send)
{
    mst_envelope envelope = envelope_of(send, MST_ENTRY_WRITTEN);

    envelope.message = send->number;
    mst_flow flow = mst_channel_put(&group->channels, send->peer, &envelope, NULL);
    return flow == MST_FLOW_NOT_NOW ? mst_channel_put_express(&group->channels, send->peer, &envelope, NULL)
                                    : flow;
}

/* The next part, in the ring, or beside it if the ring is full of what the receiver does not take. */
static mst_flow put_rest(mst_group *group, mst_transfer *send)
{
    mst_flow flow = put_part(group, send);

    if (flow == MST_FLOW_NOT_NOW && mst_channel_is_starved(&group->channels, send->peer)) {
        mst_envelope envelope = envelope_of(send, MST_ENTRY_PART);

        envelope.message = send->number;
        envelope.offset = send->done;
        envelope.bytes = mst_least(send->total - send->done, MST_EXPRESS_PART);
        flow = mst_channel_put_express(&group->channels, send->peer, &envelope, send->bytes + send->done);
        if (flow == MST_FLOW_OK)
            send->done += envelope.bytes;
    }
    return flow;
}

/* The send's last entry has been put. */
static void end_granted(mst_group *group, mst_transfer *send)
{
    mst_transfers_remove_first(&destination_of(group, send->peer)->granted);
    if (!send->viewed) {
        leave_table(group, send);
        return;
    }
    send->sharing = false;
    send->state = MST_TRANSFER_TOLD;
    end_view(group, send);
}

static mst_flow put_granted(mst_group *group, int peer, bool *moved)
{
    mst_transfers *granted = &destination_of(group, peer)->granted;
    mst_flow flow = MST_FLOW_OK;

    while (granted->first && flow == MST_FLOW_OK) {
        mst_transfer *send = granted->first;

        flow = send->viewed ? put_written(group, send) : put_rest(group, send);
        if (flow != MST_FLOW_OK)
            break;
        *moved = true;
        if (send->viewed || send->done == send->total)
            end_granted(group, send);
    }
    return flow;
}

/* ---- all of it ---- */

static mst_flow move_to(mst_group *group, int peer, bool *moved)
{
    mst_flow flow = read_answers(group, peer, moved);

    if (flow == MST_FLOW_OK)
        flow = put_granted(group, peer, moved);
    if (flow != MST_FLOW_DAMAGED)
        flow = put_queue(group, peer, moved);
    const struct mst_destination *destination = destination_of(group, peer);
    if (!destination->queue.first && !destination->told)
        mst_members_remove(&group->traffic.outgoing.busy, peer);
    return flow;
}

muster_status mst_outgoing_move(mst_group *group, bool *moved)
{
    const mst_members *busy = &group->traffic.outgoing.busy;

    for (int i = busy->count - 1; i >= 0; i--) { /* one that is removed is replaced by one already moved */
        int peer = busy->list[i];

        if (move_to(group, peer, moved) == MST_FLOW_DAMAGED)
            return damaged(group, peer);
    }
    return MUSTER_OK;
}
