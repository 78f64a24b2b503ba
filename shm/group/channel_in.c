/* Implements the receiver's end of channel_in.h. */
#include "shm/group/channel_in.h"

#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/fault.h"

/* ---- finding ---- */

/* Finds the next entry: in the ring; in one of its slots, where older ones may still be; or among the
 * announcements. If the ring contains a later entry, the next one certainly is in one of the other places by
 * now, so the ring is read first. Loads are _sc for the reason in mst_channel_find. */
static mst_flow look_for(const mst_channels *channels, mst_channel_end *end, uint64_t *stamp)
{
    mst_entry *in_ring = mst_entry_at(channels, end->channel, end->position);
    mst_entry *in_slot = mst_entry_slot(end->channel, end->number);
    mst_entry *in_short = mst_entry_short_slot(end->channel, end->number);
    const mst_announcement *announced = &end->channel->announcements[end->announcements % MST_ANNOUNCEMENTS];

    uint64_t ring_stamp = *stamp = mst_load64_sc(&in_ring->stamp); /* E5: the entry is written */
    end->found = in_ring;
    end->announced = NULL;
    if (mst_stamp_is_of(*stamp, end->number))
        return MST_FLOW_OK;
    *stamp = mst_load64_sc(&in_slot->stamp); /* E5: the entry is written */
    end->found = in_slot;
    if (mst_stamp_is_of(*stamp, end->number))
        return MST_FLOW_OK;
    *stamp = mst_load64_sc(&in_short->stamp); /* E5: the entry is written */
    end->found = in_short;
    if (mst_stamp_is_of(*stamp, end->number))
        return MST_FLOW_OK;
    *stamp = mst_load64_sc(&announced->stamp); /* E5: the announcement is written */
    end->announced = announced;
    if (mst_stamp_is_of(*stamp, end->number))
        return MST_FLOW_OK;
    return ring_stamp == 0 ? MST_FLOW_NOT_NOW : MST_FLOW_DAMAGED;
}

/* Copies the description in an entry; false: it is not valid. */
static bool read_envelope(const mst_entry *entry, uint64_t stamp, mst_envelope *envelope)
{
    envelope->kind = (mst_entry_kind)(stamp >> MST_STAMP_KIND & 0xf);
    envelope->bytes = (size_t)(stamp & 0xffff);
    envelope->total = envelope->bytes;
    envelope->tag = entry->tag;
    envelope->type = entry->type;
    if (envelope->kind != MST_ENTRY_WHOLE) {
        const mst_entry_part *part = (const void *)(entry + 1);
        uint64_t message = part->message, place = part->place; /* read once */
        bool first = envelope->kind == MST_ENTRY_FIRST || envelope->kind == MST_ENTRY_VIEW;

        envelope->message = message;
        envelope->offset = first ? message : place;
        envelope->total = place;
    }
    return envelope->bytes <= MST_REST_PART_BYTES && envelope->kind < MST_ENTRY_KINDS &&
           envelope->kind != MST_ENTRY_ANNOUNCED && envelope->kind != MST_ENTRY_ANNOUNCED_VIEW;
}

/* An entry before the ring is whole, and no longer than its slot: the sender's other bytes are behind it. */
static bool fits_its_place(const mst_channel_end *end, const mst_envelope *envelope)
{
    const unsigned char *at = (const void *)end->found;

    if (at >= end->channel->ring)
        return true;
    size_t room = at < end->channel->short_slots[0] ? MST_SLOT_BYTES : MST_SHORT_SLOT_BYTES;
    return envelope->kind == MST_ENTRY_WHOLE &&
           mst_entry_head_bytes(envelope->kind, envelope->bytes) + envelope->bytes <= room;
}

static bool read_announcement(const mst_announcement *announced, uint64_t stamp, mst_envelope *envelope)
{
    *envelope = (mst_envelope){ .kind = (mst_entry_kind)(stamp >> MST_STAMP_KIND & 0xf),
                                .tag = announced->tag,
                                .type = announced->type,
                                .total = announced->total,
                                .offset = announced->offset };
    return envelope->kind == MST_ENTRY_ANNOUNCED || envelope->kind == MST_ENTRY_ANNOUNCED_VIEW;
}

mst_flow mst_channel_look(mst_channels *channels, int sender, mst_envelope *envelope)
{
    mst_channel_end *end = &channels->incoming[sender];
    uint64_t stamp;

    mst_flow flow = end->channel ? MST_FLOW_OK : mst_channel_find(channels, sender);
    if (flow == MST_FLOW_OK)
        flow = look_for(channels, end, &stamp);
    if (flow != MST_FLOW_OK) {
        end->run = 0;
        return flow;
    }
    bool valid = end->announced ? read_announcement(end->announced, stamp, envelope)
                                : read_envelope(end->found, stamp, envelope) && fits_its_place(end, envelope);
    envelope->number = end->number;
    return valid ? MST_FLOW_OK : MST_FLOW_DAMAGED;
}

/* ---- taking and keeping ---- */

static inline void copy_lines(const mst_channels *channels, void *to, const void *from, size_t bytes)
{
    if (bytes > MST_NEAR_BYTES)
        channels->copies.take(to, from, bytes);
    else
        memcpy(to, from, bytes);
}

static inline void copy_out(const mst_channels *channels, const mst_channel_end *end, void *to,
                            const unsigned char *from, size_t bytes)
{
    const unsigned char *ring = end->channel->ring, *ring_end = ring + channels->ring_bytes;
    size_t first = mst_least(bytes, (size_t)(ring_end - from));

    if (first)
        copy_lines(channels, to, from, first);
    if (first < bytes)
        copy_lines(channels, (unsigned char *)to + first, ring, bytes - first);
}

void mst_channel_copy(const mst_channels *channels, int sender, const mst_entry *entry, mst_entry_kind kind,
                      void *to, size_t bytes)
{
    copy_out(channels, &channels->incoming[sender], to,
             (const unsigned char *)entry + mst_entry_head_bytes(kind, bytes), bytes);
}

/* Goes on to the next entry. */
static void pass(mst_channels *channels, int sender, const mst_envelope *envelope)
{
    mst_channel_end *end = &channels->incoming[sender];

    end->number++;
    if (end->announced) {
        mst_exchange64_sc(&end->channel->announcements_taken, ++end->announcements); /* E6: read */
        mst_fault_point("message.noted");
        mst_channels_ring(channels, sender);
        return;
    }
    mst_store64_rel(&channels->notes[sender].acknowledged,
                    end->found->taken); /* E20: those slots may be written again */
    if ((const unsigned char *)end->found >= end->channel->ring)
        end->position += mst_entry_bytes(envelope->kind, envelope->bytes);
}

/* Frees the space before the first kept entry: at once, or a quarter of the ring at a time. */
static void free_space(mst_channels *channels, int sender, bool at_once)
{
    mst_channel_end *end = &channels->incoming[sender];
    const mst_kept *first = end->kept_first;
    uint64_t position = first ? first->position : end->position;

    /* E20: and these slots, once we have told the sender */
    mst_store64_rel(&channels->notes[sender].taken, (first ? first->number : end->number) - 1);
    if (position == end->head || (!at_once && position - end->head < channels->ring_bytes / 4))
        return;
    end->head = position;
    mst_fault_point("message.take");
    mst_exchange64_sc(&end->channel->head, end->head); /* E6: the ring up to here may be written again */
    mst_fault_point("message.taken");
    mst_channels_ring(channels, sender);
}

/* Prefetches what is behind an entry in a short slot, assuming entries of its size: several that were started
 * together are fetched together. Not behind the first: a receiver that waits for each one would take the
 * lines from the sender that is about to write there. */
#define ENTRIES_AHEAD 2
static void prefetch_ahead(mst_channel_end *end, const mst_envelope *envelope)
{
    if (end->run++ == 0 || end->announced || end->found != mst_entry_short_slot(end->channel, end->number))
        return;
    for (uint64_t i = 1; i <= ENTRIES_AHEAD; i++) {
        const char *next = (const char *)mst_entry_short_slot(end->channel, end->number + i);

        for (size_t done = 0; done < sizeof(mst_entry) + envelope->bytes; done += MST_CACHE_LINE_BYTES)
            mst_prefetch_for_load(next + done);
    }
}

void mst_channel_take(mst_channels *channels, int sender, const mst_envelope *envelope, void *to)
{
    mst_channel_end *end = &channels->incoming[sender];

    prefetch_ahead(end, envelope);
    if (to && !end->announced)
        mst_channel_copy(channels, sender, end->found, envelope->kind, to, envelope->bytes);
    pass(channels, sender, envelope);
    free_space(channels, sender, sender == channels->subarena->rank);
}

void mst_channel_keep(mst_channels *channels, int sender, const mst_envelope *envelope, mst_kept *kept)
{
    mst_channel_end *end = &channels->incoming[sender];

    *kept = (mst_kept){ .at = end->announced ? NULL : end->found,
                        .number = end->number,
                        .position = end->position };
    if (end->kept_last)
        end->kept_last->next = kept;
    else
        end->kept_first = kept;
    end->kept_last = kept;
    pass(channels, sender, envelope);
}

const mst_entry *mst_channel_keep_with(mst_channels *channels, int sender, const mst_envelope *envelope)
{
    const mst_entry *at = channels->incoming[sender].found;

    pass(channels, sender, envelope);
    return at;
}

mst_kept *mst_channel_release(mst_channels *channels, int sender, mst_kept *kept)
{
    mst_channel_end *end = &channels->incoming[sender];
    mst_kept *released = end->kept_first, *last = NULL;

    kept->over = true;
    while (end->kept_first && end->kept_first->over) {
        last = end->kept_first;
        end->kept_first = last->next;
    }
    if (!last)
        return NULL;
    last->next = NULL;
    if (!end->kept_first)
        end->kept_last = NULL;
    free_space(channels, sender, sender == channels->subarena->rank);
    return released;
}

/* ---- past the ring ---- */

mst_flow mst_channel_look_express(mst_channels *channels, int sender, mst_envelope *envelope)
{
    mst_channel_end *end = &channels->incoming[sender];
    const mst_entry *entry = (const void *)end->channel->express;
    uint64_t stamp = mst_load64_sc(&entry->stamp); /* E5: the entry is written */

    if (!mst_stamp_is_of(stamp, end->express + 1))
        return MST_FLOW_NOT_NOW;
    bool valid = read_envelope(entry, stamp, envelope) &&
                 mst_entry_head_bytes(envelope->kind, envelope->bytes) + envelope->bytes <= MST_EXPRESS_BYTES;
    return valid ? MST_FLOW_OK : MST_FLOW_DAMAGED;
}

void mst_channel_take_express(mst_channels *channels, int sender, const mst_envelope *envelope, void *to)
{
    mst_channel_end *end = &channels->incoming[sender];
    const mst_entry *entry = (const void *)end->channel->express;

    if (to)
        mst_channel_copy(channels, sender, entry, envelope->kind, to, envelope->bytes);
    mst_exchange64_sc(&end->channel->express_taken, ++end->express); /* E6: it may be written again */
    mst_fault_point("message.fetched");
    mst_channels_ring(channels, sender);
}

/* ---- what the sender is told ---- */

void mst_channel_starve(mst_channels *channels, int sender)
{
    mst_channel_end *end = &channels->incoming[sender];

    if (end->starved == end->number)
        return;
    free_space(channels, sender, true);
    end->starved = end->number;
    mst_fault_point("message.starve");
    mst_exchange64_sc(&end->channel->starved, end->number); /* E6 */
    mst_fault_point("message.starved");
    mst_channels_ring(channels, sender);
}

void mst_channel_post(mst_channels *channels, int sender, int32_t tag)
{
    mst_channel_end *end = &channels->incoming[sender];

    mst_fault_point("message.want");
    mst_exchange64_sc(&end->channel->posted, mst_posted_pack(end->number, tag)); /* E6 */
    mst_fault_point("message.wanted");
    mst_channels_ring(channels, sender);
}

mst_flow mst_channel_answer(mst_channels *channels, int sender, mst_answer_kind kind, uint64_t message,
                            uint64_t offset, unsigned reserve)
{
    mst_channel_end *end = &channels->incoming[sender];
    mst_answer *at = &end->channel->answers[end->answers % MST_ANSWERS];
    uint64_t unread = end->answers - mst_load64_sc(&end->channel->answers_taken); /* E28: they were read */

    if (unread > MST_ANSWERS)
        return MST_FLOW_DAMAGED;
    if (unread + reserve >= MST_ANSWERS)
        return MST_FLOW_NOT_NOW;
    at->message = message;
    at->offset = offset;
    mst_fault_point("message.answer");
    mst_exchange64_sc(&at->stamp,
                      mst_stamp_pack(++end->answers, (mst_entry_kind)kind, 0)); /* E28: publishes it */
    mst_fault_point("message.answered");
    mst_channels_ring(channels, sender);
    return MST_FLOW_OK;
}

const void *mst_channel_view(const mst_channels *channels, int sender, uint64_t offset, size_t bytes)
{
    const mst_subarena *subarena = channels->subarena;

    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->members[sender].seat, offset, bytes);
}
