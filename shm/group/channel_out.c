/* Implements the sender's end of channel_out.h. */
#include "shm/group/channel_out.h"

#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/fault.h"

static void near_copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

static mst_entry_copy_fn copy_for(const mst_channels *channels, mst_channel_end *end, size_t bytes)
{
    if (mst_store_begin(&end->policy, bytes))
        return channels->copies.stream;
    return bytes > MST_NEAR_BYTES ? channels->copies.give : near_copy;
}

/* Any bytes, which may wrap around in the ring. */
static __attribute__((noinline)) void copy_parts_in(const mst_channels *channels, mst_channel_end *end,
                                                    unsigned char *to, const void *from, size_t bytes)
{
    unsigned char *ring = end->channel->ring, *ring_end = ring + channels->ring_bytes;
    size_t first = to < ring ? bytes : mst_least(bytes, (size_t)(ring_end - to));
    mst_entry_copy_fn copy = copy_for(channels, end, bytes);

    if (first)
        copy(to, from, first);
    if (first < bytes)
        copy(ring, (const unsigned char *)from + first, bytes - first);
    mst_store_end(&end->policy, bytes);
}

/* Copies the bytes of an entry to `to`, which is in the ring, or before it. */
static inline void copy_in(const mst_channels *channels, mst_channel_end *end, unsigned char *to,
                           const void *from, size_t bytes)
{
    const unsigned char *ring_end = end->channel->ring + channels->ring_bytes;

    if (bytes - 1 < MST_SHORT_BYTES && bytes <= (size_t)(ring_end - to)) /* not 0, nor from NULL, then */
        memcpy(to, from, bytes);
    else
        copy_parts_in(channels, end, to, from, bytes);
}

/* ---- space ---- */

/* Reads how far the receiver has read the ring. A load is _sc for the reason in mst_channel_find. */
static mst_flow learn_head(const mst_channels *channels, mst_channel_end *end)
{
    uint64_t head = mst_load64_sc(&end->channel->head); /* E6: the space before it may be written again */

    if (end->position - head > channels->ring_bytes || head % MST_ENTRY_UNIT)
        return MST_FLOW_DAMAGED;
    end->head = head;
    return MST_FLOW_OK;
}

static bool fits(const mst_channels *channels, const mst_channel_end *end, uint64_t bytes)
{
    return end->position - end->head + bytes <= channels->ring_bytes;
}

/* Makes sure that the ring has space for the bytes and for the stamp after them. */
static mst_flow make_room(const mst_channels *channels, mst_channel_end *end, uint64_t bytes)
{
    if (fits(channels, end, bytes + MST_ENTRY_UNIT))
        return MST_FLOW_OK;
    mst_flow flow = learn_head(channels, end);
    return flow != MST_FLOW_OK || fits(channels, end, bytes + MST_ENTRY_UNIT) ? flow : MST_FLOW_NOT_NOW;
}

/* Whether the entry may use its slot: it fits, and the previous entry there is known to have been
 * consumed. */
static bool takes_slot(const mst_channels *channels, int receiver, mst_entry_kind kind, size_t bytes)
{
    const mst_channel_end *end = &channels->outgoing[receiver];

    return kind == MST_ENTRY_WHOLE && mst_entry_head_bytes(kind, bytes) + bytes <= MST_SLOT_BYTES &&
           end->slots[end->number & 1] <= mst_load64_acq(&channels->notes[receiver].acknowledged); /* E20 */
}

/* The same for its short slot. */
static bool takes_short_slot(const mst_channels *channels, int receiver, mst_entry_kind kind, size_t bytes)
{
    return kind == MST_ENTRY_WHOLE && sizeof(mst_entry) + bytes <= MST_SHORT_SLOT_BYTES &&
           channels->outgoing[receiver].number <=
               mst_load64_acq(&channels->notes[receiver].acknowledged) + MST_SHORT_SLOTS; /* E20 */
}

/* Where the next entry goes, if not to the ring. NULL: to the ring. */
static mst_entry *find_slot(const mst_channels *channels, int receiver, mst_entry_kind kind, size_t bytes)
{
    const mst_channel_end *end = &channels->outgoing[receiver];

    if (takes_slot(channels, receiver, kind, bytes))
        return mst_entry_slot(end->channel, end->number);
    if (takes_short_slot(channels, receiver, kind, bytes))
        return mst_entry_short_slot(end->channel, end->number);
    return NULL;
}

mst_flow mst_channel_has_room(mst_channels *channels, int receiver, size_t total)
{
    mst_channel_end *end = &channels->outgoing[receiver];
    size_t left = mst_least(total, MST_EAGER_BYTES), part = mst_least(left, MST_PART_BYTES);
    uint64_t all = mst_entry_bytes(MST_ENTRY_FIRST, part);

    if (takes_slot(channels, receiver, MST_ENTRY_WHOLE, total))
        return MST_FLOW_OK;
    while (left -= part) {
        part = mst_least(left, MST_PART_BYTES);
        all += mst_entry_bytes(MST_ENTRY_PART, part);
    }
    return make_room(channels, end, all);
}

/* ---- entries ---- */

/* While more lines than this are filled, the polling receiver would take the first one away again. */
#define PREFETCH_BYTES_MAX 256

void mst_channel_prefetch(const mst_channels *channels, int receiver, size_t bytes)
{
    const mst_channel_end *end = &channels->outgoing[receiver];

    if (end->channel && bytes <= PREFETCH_BYTES_MAX && takes_slot(channels, receiver, MST_ENTRY_WHOLE, bytes))
        mst_prefetch_for_store(mst_entry_slot(end->channel, end->number), MST_CACHE_LINE_BYTES);
}

/* Prefetches the rest of the next entry, assuming that it has this size: the receiver polls only its first
 * line. */
static void prefetch_rest(const mst_channels *channels, int receiver, size_t bytes)
{
    const mst_channel_end *end = &channels->outgoing[receiver];
    size_t in_first = MST_CACHE_LINE_BYTES - sizeof(mst_entry);

    if (bytes > in_first && bytes <= PREFETCH_BYTES_MAX &&
        takes_slot(channels, receiver, MST_ENTRY_WHOLE, bytes))
        mst_prefetch_for_store((char *)mst_entry_slot(end->channel, end->number) + MST_CACHE_LINE_BYTES,
                               bytes - in_first);
}

/* Prefetches the next entry of the ring, assuming that it has this size, and the stamp behind it: whoever
 * starts many small messages puts one entry after another, and would wait for these lines in each. */
static void prefetch_in_ring(const mst_channels *channels, const mst_channel_end *end, uint64_t bytes)
{
    if (bytes <= PREFETCH_BYTES_MAX)
        mst_prefetch_for_store(mst_entry_at(channels, end->channel, end->position),
                               bytes + sizeof(mst_entry));
}

/* Prefetches for what comes after an entry that was put there. Not after one in a short slot: the atomic
 * operations of the next put would wait for it. */
static void prefetch_next(const mst_channels *channels, int receiver, const mst_entry *put,
                          const mst_envelope *envelope)
{
    const mst_channel_end *end = &channels->outgoing[receiver];
    uint64_t all = mst_entry_bytes(envelope->kind, envelope->bytes);

    if ((const unsigned char *)put >= end->channel->ring)
        prefetch_in_ring(channels, end, all);
    else if (put == mst_entry_slot(end->channel, end->number - 1))
        prefetch_rest(channels, receiver, envelope->bytes);
}

/* Fills everything but the stamp. */
static void fill(mst_channels *channels, int receiver, mst_entry *entry, const mst_envelope *envelope,
                 const void *bytes)
{
    entry->tag = envelope->tag;
    entry->type = envelope->type;
    entry->taken = mst_load64_acq(&channels->notes[receiver].taken); /* E20 */
    if (envelope->kind != MST_ENTRY_WHOLE) {
        bool first = envelope->kind == MST_ENTRY_FIRST || envelope->kind == MST_ENTRY_VIEW;

        *(mst_entry_part *)(void *)(entry + 1) =
            (mst_entry_part){ .message = first ? envelope->offset : envelope->message,
                              .place = first ? envelope->total : envelope->offset };
    }
    copy_in(channels, &channels->outgoing[receiver],
            (unsigned char *)entry + mst_entry_head_bytes(envelope->kind, envelope->bytes), bytes,
            envelope->bytes);
}

static void publish(mst_channels *channels, int receiver, mst_entry *entry, uint64_t stamp)
{
    mst_fault_point("message.write");
    mst_exchange64_sc(&entry->stamp, stamp); /* E5: publishes the entry */
    mst_fault_point("message.put");
    mst_channels_ring(channels, receiver);
}

mst_flow mst_channel_put(mst_channels *channels, int receiver, const mst_envelope *envelope,
                         const void *bytes)
{
    mst_channel_end *end = &channels->outgoing[receiver];
    uint64_t all = mst_entry_bytes(envelope->kind, envelope->bytes);
    mst_entry *entry = find_slot(channels, receiver, envelope->kind, envelope->bytes);

    mst_flow flow = entry ? MST_FLOW_OK : make_room(channels, end, all);
    if (flow != MST_FLOW_OK)
        return flow;
    if (entry == mst_entry_slot(end->channel, end->number))
        end->slots[end->number & 1] = end->number;
    if (!entry) {
        entry = mst_entry_at(channels, end->channel, end->position);
        end->position += all;
        mst_store64_rlx(&mst_entry_at(channels, end->channel, end->position)->stamp, 0); /* published by E5 */
    }
    fill(channels, receiver, entry, envelope, bytes);
    publish(channels, receiver, entry, mst_stamp_pack(end->number, envelope->kind, envelope->bytes));
    end->number++;
    prefetch_next(channels, receiver, entry, envelope);
    return MST_FLOW_OK;
}

/* ---- past the ring ---- */

bool mst_channel_is_starved(const mst_channels *channels, int receiver)
{
    const mst_channel_end *end = &channels->outgoing[receiver];

    return mst_load64_sc(&end->channel->starved) == end->number; /* E6: a hint */
}

mst_flow mst_channel_announce(mst_channels *channels, int receiver, const mst_envelope *envelope)
{
    mst_channel_end *end = &channels->outgoing[receiver];
    mst_announcement *at = &end->channel->announcements[end->announcements % MST_ANNOUNCEMENTS];
    uint64_t unread = end->announcements - mst_load64_sc(&end->channel->announcements_taken); /* E6 */

    if (unread >= MST_ANNOUNCEMENTS)
        return unread == MST_ANNOUNCEMENTS ? MST_FLOW_NOT_NOW : MST_FLOW_DAMAGED;
    at->total = envelope->total;
    at->offset = envelope->offset;
    at->tag = envelope->tag;
    at->type = envelope->type;
    mst_fault_point("message.announce");
    mst_exchange64_sc(&at->stamp, mst_stamp_pack(end->number, envelope->kind, 0)); /* E5: publishes it */
    mst_fault_point("message.announced");
    end->number++;
    end->announcements++;
    mst_channels_ring(channels, receiver);
    return MST_FLOW_OK;
}

mst_flow mst_channel_put_express(mst_channels *channels, int receiver, const mst_envelope *envelope,
                                 const void *bytes)
{
    mst_channel_end *end = &channels->outgoing[receiver];
    mst_entry *entry = (mst_entry *)(void *)end->channel->express;
    uint64_t taken = mst_load64_sc(&end->channel->express_taken); /* E6: it may be written again */

    if (taken != end->express)
        return end->express - taken == 1 ? MST_FLOW_NOT_NOW : MST_FLOW_DAMAGED;
    fill(channels, receiver, entry, envelope, bytes);
    publish(channels, receiver, entry, mst_stamp_pack(++end->express, envelope->kind, envelope->bytes));
    return MST_FLOW_OK;
}

/* ---- what the receiver says ---- */

bool mst_channel_is_awaited(const mst_channels *channels, int receiver, int32_t tag)
{
    const mst_channel_end *end = &channels->outgoing[receiver];
    uint64_t posted = mst_load64_sc(&end->channel->posted); /* E6: a hint */

    return posted == mst_posted_pack(end->number, tag) || posted == mst_posted_pack(end->number, -1);
}

mst_flow mst_channel_read_answer(mst_channels *channels, int receiver, mst_answer_copy *answer)
{
    mst_channel_end *end = &channels->outgoing[receiver];
    const mst_answer *at = &end->channel->answers[end->answers % MST_ANSWERS];
    uint64_t stamp = mst_load64_sc(&at->stamp); /* E28: what it says is there */

    if (!mst_stamp_is_of(stamp, end->answers + 1))
        return MST_FLOW_NOT_NOW;
    *answer = (mst_answer_copy){ .kind = (mst_answer_kind)(stamp >> MST_STAMP_KIND & 0xf),
                                 .message = at->message,
                                 .offset = at->offset };
    mst_exchange64_sc(&end->channel->answers_taken, ++end->answers); /* E28: it may be written again */
    mst_fault_point("message.heard");
    mst_channels_ring(channels, receiver); /* which may owe answers that had no room */
    return answer->kind < MST_ANSWER_KINDS ? MST_FLOW_OK : MST_FLOW_DAMAGED;
}

void *mst_channel_buffer(const mst_channels *channels, int receiver, uint64_t offset, size_t bytes)
{
    const mst_subarena *subarena = channels->subarena;

    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->members[receiver].seat, offset,
                              bytes);
}
