/* Implements the channels of channel.h. */
#include "shm/group/channel.h"

#include <stdlib.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"

bool mst_channels_init(mst_channels *channels, mst_subarena *subarena, mst_stream_fn stream)
{
    size_t size = (size_t)subarena->size;

    *channels = (mst_channels){
        .subarena = subarena,
        .stream = stream,
        .outgoing = calloc(size, sizeof *channels->outgoing),
        .incoming = calloc(size, sizeof *channels->incoming),
        .notes = calloc(size, sizeof *channels->notes),
        .ring_bytes = mst_layout_ring_bytes(subarena->attachment->geometry.size),
    };
    if (channels->outgoing && channels->incoming && channels->notes)
        return true;
    mst_channels_destroy(channels);
    return false;
}

void mst_channels_destroy(mst_channels *channels)
{
    free(channels->outgoing);
    free(channels->incoming);
    free(channels->notes);
    *channels = (mst_channels){ 0 };
}

/* ---- entries ---- */

static uint64_t entry_bytes(size_t count)
{
    return (sizeof(mst_entry) + count + MST_ENTRY_UNIT - 1) / MST_ENTRY_UNIT * MST_ENTRY_UNIT;
}

static mst_entry *entry_at(const mst_channels *channels, mst_channel *channel, uint64_t position)
{
    return (mst_entry *)(void *)(channel->ring + position % channels->ring_bytes);
}

static mst_entry *slot_of(mst_channel *channel, uint64_t number)
{
    return (mst_entry *)(void *)channel->slots[number & 1];
}

#define TAG_BITS 8
#define KIND_BITS 4

static uint64_t pack_stamp(uint64_t number, const mst_envelope *envelope)
{
    return number << (TAG_BITS + KIND_BITS) | (uint64_t)envelope->kind << TAG_BITS | envelope->tag;
}

static uint64_t number_of(uint64_t stamp)
{
    return stamp >> (TAG_BITS + KIND_BITS);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void plain_copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

/* Copies the bytes of an entry to `to`, which is in the ring, where the bytes may wrap around, or in a
 * slot. */
static void copy_in(const mst_channels *channels, mst_channel_end *end, unsigned char *to, const void *from,
                    size_t bytes)
{
    unsigned char *ring = end->channel->ring, *ring_end = ring + channels->ring_bytes;
    size_t first = to < ring ? bytes : least(bytes, (size_t)(ring_end - to));
    mst_stream_fn copy = mst_store_begin(&end->policy, bytes) ? channels->stream : plain_copy;

    if (first)
        copy(to, from, first);
    if (first < bytes)
        copy(ring, (const unsigned char *)from + first, bytes - first);
    mst_store_end(&end->policy, bytes);
}

static void copy_out(const mst_channels *channels, const mst_channel_end *end, void *to,
                     const unsigned char *from, size_t bytes)
{
    const unsigned char *ring = end->channel->ring, *ring_end = ring + channels->ring_bytes;
    size_t first = from < ring ? bytes : least(bytes, (size_t)(ring_end - from));

    if (first)
        memcpy(to, from, first);
    if (first < bytes)
        memcpy((unsigned char *)to + first, ring, bytes - first);
}

/*
 * Loads here are _sc, not acquire: a receiver that has announced its sleep (E9) must not read a
 * word from before the sender's _sc store, or both could miss each other.
 */

/* ---- opening and finding channels ---- */

/* Ends are initialised only when their channel is used: there may be a thousand. */
static void begin(const mst_channels *channels, mst_channel_end *end, mst_channel *channel)
{
    end->channel = channel;
    end->number = 1;
    mst_store_init(&end->policy, channels->plan, MST_STORE_POLICY_FOR_READER);
    mst_store_init(&end->view_stores, channels->plan, MST_STORE_POLICY_FOR_WRITER);
}

static uint64_t channel_bytes(const mst_channels *channels)
{
    return sizeof(mst_channel) + channels->ring_bytes;
}

static _Atomic uint64_t *table_of(const mst_subarena *subarena, int rank, uint64_t offset)
{
    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->shares[rank].seat, offset,
                              (uint64_t)subarena->size * sizeof(uint64_t));
}

static muster_status open_table(mst_channels *channels)
{
    mst_subarena *subarena = channels->subarena;

    if (channels->table_offset)
        return MUSTER_OK;
    muster_status status = mst_subarena_claim_block(subarena, (uint64_t)subarena->size * sizeof(uint64_t),
                                                    &channels->table_offset);
    if (status != MUSTER_OK) {
        channels->table_offset = 0;
        return status;
    }
    _Atomic uint64_t *table = table_of(subarena, subarena->rank, channels->table_offset);
    for (int rank = 0; rank < subarena->size; rank++)
        mst_store64_rlx(&table[rank], 0);
    mst_fault_point("table.publish");
    mst_exchange64_sc(&subarena->cells[subarena->rank]->channels, channels->table_offset); /* E4 */
    return MUSTER_OK;
}

muster_status mst_channel_open(mst_channels *channels, int receiver)
{
    mst_subarena *subarena = channels->subarena;
    const mst_geometry *geometry = &subarena->attachment->geometry;
    uint64_t offset;

    if (channels->outgoing[receiver].channel)
        return MUSTER_OK;
    muster_status status = open_table(channels);
    if (status == MUSTER_OK)
        status = mst_subarena_claim_block(subarena, channel_bytes(channels), &offset);
    if (status != MUSTER_OK)
        return status;
    mst_channel *channel = mst_layout_heap_at(geometry, subarena->own.seat, offset, channel_bytes(channels));
    mst_store64_rlx(&channel->head, 0);
    mst_store64_rlx(&channel->posted, 0);
    mst_store64_rlx(&slot_of(channel, 0)->stamp, 0);
    mst_store64_rlx(&slot_of(channel, 1)->stamp, 0);
    mst_store64_rlx(&entry_at(channels, channel, 0)->stamp, 0);
    begin(channels, &channels->outgoing[receiver], channel);
    _Atomic uint64_t *table = table_of(subarena, subarena->rank, channels->table_offset);
    mst_fault_point("ring.publish");
    mst_exchange64_sc(&table[receiver], offset); /* E4: publishes the empty ring */
    return MUSTER_OK;
}

/* Finds the channel from `sender` to us, once it exists. Offsets come from a peer and are checked. */
static mst_flow find(mst_channels *channels, int sender)
{
    mst_subarena *subarena = channels->subarena;
    const mst_geometry *geometry = &subarena->attachment->geometry;
    uint32_t seat = subarena->shares[sender].seat;

    if (channels->incoming[sender].channel)
        return MST_FLOW_OK;
    uint64_t table_offset = mst_load64_sc(&subarena->cells[sender]->channels); /* E4 */
    if (table_offset == 0)
        return MST_FLOW_OK;
    const _Atomic uint64_t *table = table_of(subarena, sender, table_offset);
    if (!table || table_offset % MST_EXTENT_UNIT)
        return MST_FLOW_DAMAGED;
    uint64_t offset = mst_load64_sc(&table[subarena->rank]); /* E4 */
    if (offset == 0)
        return MST_FLOW_OK;
    mst_channel *channel = mst_layout_heap_at(geometry, seat, offset, channel_bytes(channels));
    if (!channel || offset % MST_EXTENT_UNIT)
        return MST_FLOW_DAMAGED;
    begin(channels, &channels->incoming[sender], channel);
    return MST_FLOW_OK;
}

/* ---- the sender's end ---- */

/* Reads how far the receiver has read the ring. */
static mst_flow learn_head(const mst_channels *channels, mst_channel_end *end)
{
    uint64_t head = mst_load64_sc(&end->channel->head); /* E6: the space before it may be written again */

    if (end->position - head > channels->ring_bytes || head % MST_ENTRY_UNIT)
        return MST_FLOW_DAMAGED;
    end->head = head;
    return MST_FLOW_OK;
}

static bool has_room(const mst_channels *channels, const mst_channel_end *end, uint64_t bytes)
{
    return end->position - end->head + bytes <= channels->ring_bytes;
}

/* Makes sure that the ring has space for the entry and the stamp after it. */
static mst_flow make_room(const mst_channels *channels, mst_channel_end *end, size_t count)
{
    uint64_t bytes = entry_bytes(count) + MST_ENTRY_UNIT;

    if (has_room(channels, end, bytes))
        return MST_FLOW_OK;
    mst_flow flow = learn_head(channels, end);
    return flow != MST_FLOW_OK || has_room(channels, end, bytes) ? flow : MST_FLOW_NOT_NOW;
}

mst_flow mst_channel_has_room(mst_channels *channels, int receiver, size_t count)
{
    return make_room(channels, &channels->outgoing[receiver], count);
}

bool mst_channel_fits(mst_channels *channels, int receiver, size_t bytes)
{
    mst_channel_end *end = &channels->outgoing[receiver];
    uint64_t parts = bytes / MST_PART_BYTES;
    uint64_t all = parts * entry_bytes(MST_PART_BYTES) + entry_bytes(bytes % MST_PART_BYTES) + MST_ENTRY_UNIT;

    return bytes < channels->ring_bytes && learn_head(channels, end) == MST_FLOW_OK &&
           has_room(channels, end, all);
}

/* Whether the entry may use its slot: it fits, and the previous entry there is known to have been
 * consumed. */
static bool takes_slot(const mst_channels *channels, int receiver, mst_entry_kind kind, size_t count)
{
    const mst_channel_end *end = &channels->outgoing[receiver];

    return kind == MST_ENTRY_MESSAGE && entry_bytes(count) <= MST_SLOT_BYTES &&
           end->slots[end->number & 1] <= mst_load64_acq(&channels->notes[receiver].acknowledged); /* E20 */
}

/* While more lines than this are filled, the polling receiver would take the first one away again. */
#define PREFETCH_BYTES_MAX 256

void mst_channel_prefetch(const mst_channels *channels, int receiver, size_t bytes)
{
    const mst_channel_end *end = &channels->outgoing[receiver];

    if (end->channel && bytes <= PREFETCH_BYTES_MAX &&
        takes_slot(channels, receiver, MST_ENTRY_MESSAGE, bytes))
        mst_prefetch_for_store(slot_of(end->channel, end->number), MST_CACHE_LINE_BYTES);
}

/* Prefetches the rest of the next entry, assuming that it has this size: the receiver polls only its first
 * line. */
static void prefetch_rest(const mst_channels *channels, int receiver, size_t bytes)
{
    const mst_channel_end *end = &channels->outgoing[receiver];
    size_t in_first = MST_CACHE_LINE_BYTES - sizeof(mst_entry);

    if (bytes > in_first && bytes <= PREFETCH_BYTES_MAX &&
        takes_slot(channels, receiver, MST_ENTRY_MESSAGE, bytes))
        mst_prefetch_for_store((char *)slot_of(end->channel, end->number) + MST_CACHE_LINE_BYTES,
                               bytes - in_first);
}

static void publish(mst_channels *channels, int receiver, mst_entry *entry, const mst_envelope *envelope)
{
    mst_channel_end *end = &channels->outgoing[receiver];

    entry->count = envelope->count;
    entry->taken = mst_load64_acq(&channels->notes[receiver].taken); /* E20 */
    mst_fault_point("message.write");
    mst_exchange64_sc(&entry->stamp, pack_stamp(end->number, envelope)); /* E5: publishes the entry */
    mst_fault_point("message.put");
    end->number++;
    mst_eventcount_ring(&channels->subarena->cells[receiver]->doorbell);
}

mst_flow mst_channel_put(mst_channels *channels, int receiver, const mst_envelope *envelope,
                         const void *bytes, size_t count)
{
    mst_channel_end *end = &channels->outgoing[receiver];
    uint64_t next = end->position + entry_bytes(count);
    bool in_slot = takes_slot(channels, receiver, envelope->kind, count);

    mst_flow flow = in_slot ? MST_FLOW_OK : make_room(channels, end, count);
    if (flow != MST_FLOW_OK)
        return flow;
    mst_entry *entry = entry_at(channels, end->channel, end->position);
    if (in_slot) {
        entry = slot_of(end->channel, end->number);
        end->slots[end->number & 1] = end->number;
    } else {
        mst_store64_rlx(&entry_at(channels, end->channel, next)->stamp, 0); /* published with it, by E5 */
        end->position = next;
    }
    copy_in(channels, end, (unsigned char *)(entry + 1), bytes, count);
    publish(channels, receiver, entry, envelope);
    if (in_slot)
        prefetch_rest(channels, receiver, count);
    return MST_FLOW_OK;
}

bool mst_channel_is_awaited(const mst_channels *channels, int receiver)
{
    const mst_channel_end *end = &channels->outgoing[receiver];

    return mst_load64_sc(&end->channel->posted) == end->number; /* E6: a hint */
}

mst_flow mst_channel_wants(const mst_channels *channels, int receiver, size_t bytes, void **buffer)
{
    const mst_subarena *subarena = channels->subarena;
    const mst_channel_end *end = &channels->outgoing[receiver];

    if (mst_load64_sc(&end->channel->posted) != end->number - 1) /* E6: publishes wanted_at */
        return MST_FLOW_NOT_NOW;
    unsigned place = (end->number - 1) & 1;
    uint64_t wanted_at = end->channel->wanted_at[place]; /* read once */
    if (wanted_at == 0 || end->channel->wanted_bytes[place] != bytes)
        return MST_FLOW_NOT_NOW; /* private, or another size, which the receiver reports as an error */
    *buffer = mst_layout_heap_at(&subarena->attachment->geometry, subarena->shares[receiver].seat, wanted_at,
                                 bytes);
    return *buffer ? MST_FLOW_OK : MST_FLOW_DAMAGED;
}

mst_flow mst_channel_is_taken(mst_channels *channels, int receiver)
{
    mst_channel_end *end = &channels->outgoing[receiver];

    mst_flow flow = learn_head(channels, end);
    return flow != MST_FLOW_OK || end->head == end->position ? flow : MST_FLOW_NOT_NOW;
}

/* ---- the receiver's end ---- */

/* Finds the next entry, in the ring or in its slot, where an older one may still be. If the ring contains a
 * later entry, the slot certainly contains this one by now, so the slot is read last. */
static mst_flow look_for(const mst_channels *channels, mst_channel_end *end, uint64_t *stamp)
{
    mst_entry *in_ring = entry_at(channels, end->channel, end->position);
    mst_entry *in_slot = slot_of(end->channel, end->number);

    uint64_t ring_stamp = *stamp = mst_load64_sc(&in_ring->stamp); /* E5: the entry is written */
    end->found = in_ring;
    if (number_of(*stamp) == end->number)
        return MST_FLOW_OK;
    *stamp = mst_load64_sc(&in_slot->stamp); /* E5: the entry is written */
    end->found = in_slot;
    if (number_of(*stamp) == end->number)
        return MST_FLOW_OK;
    return ring_stamp == 0 ? MST_FLOW_NOT_NOW : MST_FLOW_DAMAGED;
}

mst_flow mst_channel_look(mst_channels *channels, int sender, mst_envelope *envelope)
{
    mst_channel_end *end = &channels->incoming[sender];
    mst_flow flow = find(channels, sender);
    uint64_t stamp;

    if (flow != MST_FLOW_OK || !end->channel)
        return flow == MST_FLOW_OK ? MST_FLOW_NOT_NOW : flow;
    flow = look_for(channels, end, &stamp);
    if (flow == MST_FLOW_OK)
        *envelope = (mst_envelope){ .kind = (mst_entry_kind)(stamp >> TAG_BITS & ((1U << KIND_BITS) - 1)),
                                    .tag = (uint8_t)stamp,
                                    .count = end->found->count };
    return flow;
}

/* Marks the found entry as consumed. */
static void go_on(mst_channels *channels, int sender, size_t count, bool at_once)
{
    mst_channel_end *end = &channels->incoming[sender];
    mst_channel_notes *notes = &channels->notes[sender];

    mst_store64_rel(&notes->acknowledged, end->found->taken); /* E20: those slots may be written again */
    mst_store64_rel(&notes->taken, end->number); /* E20: and these, once we have told the sender */
    end->number++;
    if (end->found == slot_of(end->channel, end->number - 1))
        return;
    end->position += entry_bytes(count);
    if (!at_once && end->position - end->head < channels->ring_bytes / 4)
        return;
    end->head = end->position;
    mst_fault_point("message.take");
    mst_exchange64_sc(&end->channel->head, end->head); /* E6: the ring up to here may be written again */
    mst_fault_point("message.taken");
    mst_eventcount_ring(&channels->subarena->cells[sender]->doorbell);
}

void mst_channel_take(mst_channels *channels, int sender, void *to, size_t count, bool at_once)
{
    mst_channel_end *end = &channels->incoming[sender];

    if (to)
        copy_out(channels, end, to, (const unsigned char *)(end->found + 1), count);
    go_on(channels, sender, count, at_once);
}

const void *mst_channel_view(const mst_channels *channels, int sender, size_t bytes)
{
    const mst_subarena *subarena = channels->subarena;
    const mst_channel_end *end = &channels->incoming[sender];
    uint64_t offset;

    copy_out(channels, end, &offset, (const unsigned char *)(end->found + 1), sizeof offset);
    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->shares[sender].seat, offset, bytes);
}

bool mst_channel_post(mst_channels *channels, int sender, uint64_t wanted_at, size_t bytes)
{
    mst_channel_end *end = &channels->incoming[sender];

    if (!end->channel)
        return false;
    /* The sender may still be reading the fields of the previous entry, but not those of the one before,
     * since it has sent another entry since then. */
    end->channel->wanted_at[end->number & 1] = wanted_at;
    end->channel->wanted_bytes[end->number & 1] = bytes;
    mst_fault_point("message.want");
    mst_exchange64_sc(&end->channel->posted, end->number); /* E6: publishes the two fields */
    mst_fault_point("message.wanted");
    mst_eventcount_ring(&channels->subarena->cells[sender]->doorbell);
    return true;
}
