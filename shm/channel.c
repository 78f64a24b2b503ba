/* The rings of channel.h. */
#include "shm/channel.h"

#include <stdlib.h>
#include <string.h>

#include "shm/atomic.h"
#include "shm/error.h"
#include "shm/fault.h"

bool mst_channels_init(mst_channels *channels, mst_subarena *subarena, mst_stream_fn stream)
{
    size_t size = (size_t)subarena->size;

    *channels = (mst_channels){
        .subarena = subarena,
        .stream = stream,
        .outgoing = calloc(size, sizeof *channels->outgoing),
        .incoming = calloc(size, sizeof *channels->incoming),
    };
    if (channels->outgoing && channels->incoming)
        return true;
    mst_channels_destroy(channels);
    return false;
}

void mst_channels_plan_routes(mst_channels *channels, mst_route_plan plan)
{
    mst_channel_end *ends[] = { channels->outgoing, channels->incoming };

    for (int rank = 0; rank < channels->subarena->size; rank++)
        for (int i = 0; i < 2; i++) {
            mst_route_init(&ends[i][rank].route, plan, MST_ROUTE_FOR_READER);
            mst_route_init(&ends[i][rank].view_route, plan, MST_ROUTE_FOR_WRITER);
        }
}

void mst_channels_destroy(mst_channels *channels)
{
    free(channels->outgoing);
    free(channels->incoming);
    *channels = (mst_channels){ 0 };
}

/* ---- entries ---- */

static uint64_t entry_bytes(size_t count)
{
    return (sizeof(mst_entry) + count + MST_ENTRY_UNIT - 1) / MST_ENTRY_UNIT * MST_ENTRY_UNIT;
}

static mst_entry *entry_at(mst_channel *channel, uint64_t position)
{
    return (mst_entry *)(void *)(channel->bytes + position % MST_CHANNEL_BYTES);
}

/* Never 0, and another one when the ring comes round again. */
static uint32_t number_at(uint64_t position)
{
    return (uint32_t)(position / MST_ENTRY_UNIT) << 1 | 1;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void plain_copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

static void copy_in(const mst_channels *channels, mst_channel_end *end, uint64_t position, const void *from,
                    size_t bytes)
{
    size_t at = (size_t)(position % MST_CHANNEL_BYTES);
    size_t first = least(bytes, MST_CHANNEL_BYTES - at);
    mst_stream_fn copy = mst_route_begin(&end->route, bytes) ? channels->stream : plain_copy;

    if (first)
        copy(end->channel->bytes + at, from, first);
    if (first < bytes)
        copy(end->channel->bytes, (const unsigned char *)from + first, bytes - first);
    mst_route_end(&end->route, bytes);
}

static void copy_out(const mst_channel *channel, uint64_t position, void *to, size_t bytes)
{
    size_t at = (size_t)(position % MST_CHANNEL_BYTES);
    size_t first = least(bytes, MST_CHANNEL_BYTES - at);

    if (first)
        memcpy(to, channel->bytes + at, first);
    if (first < bytes)
        memcpy((unsigned char *)to + first, channel->bytes, bytes - first);
}

/*
 * Loads here are _sc, not acquire: a receiver that has announced its sleep (E9) must not read a
 * word from before the sender's _sc store, or both could miss each other.
 */

/* ---- finding each other ---- */

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
        status = mst_subarena_claim_block(subarena, sizeof(mst_channel), &offset);
    if (status != MUSTER_OK)
        return status;
    mst_channel *channel = mst_layout_heap_at(geometry, subarena->own.seat, offset, sizeof(mst_channel));
    mst_store64_rlx(&channel->head, 0);
    mst_store64_rlx(&channel->posted, 0);
    mst_store32_rlx(&entry_at(channel, 0)->flag, 0);
    channels->outgoing[receiver].channel = channel;
    _Atomic uint64_t *table = table_of(subarena, subarena->rank, channels->table_offset);
    mst_fault_point("ring.publish");
    mst_exchange64_sc(&table[receiver], offset); /* E4: publishes the empty ring */
    return MUSTER_OK;
}

/* The ring from `sender` to us, once it is there. Offsets are a peer's words: checked. */
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
    mst_channel *channel = mst_layout_heap_at(geometry, seat, offset, sizeof(mst_channel));
    if (!channel || offset % MST_EXTENT_UNIT)
        return MST_FLOW_DAMAGED;
    channels->incoming[sender].channel = channel;
    return MST_FLOW_OK;
}

/* ---- the sender's end ---- */

/* Learns how far the receiver has come. */
static mst_flow learn_head(mst_channel_end *end)
{
    uint64_t head = mst_load64_sc(&end->channel->head); /* E6: the room is ours again */

    if (end->position - head > MST_CHANNEL_BYTES || head % MST_ENTRY_UNIT)
        return MST_FLOW_DAMAGED;
    end->head = head;
    return MST_FLOW_OK;
}

static bool has_room(const mst_channel_end *end, uint64_t bytes)
{
    return end->position - end->head + bytes <= MST_CHANNEL_BYTES;
}

/* For the entry, and the flag behind it. */
static mst_flow make_room(mst_channel_end *end, size_t count)
{
    uint64_t bytes = entry_bytes(count) + MST_ENTRY_UNIT;

    if (has_room(end, bytes))
        return MST_FLOW_OK;
    mst_flow flow = learn_head(end);
    return flow != MST_FLOW_OK || has_room(end, bytes) ? flow : MST_FLOW_NOT_NOW;
}

mst_flow mst_channel_has_room(mst_channels *channels, int receiver, size_t count)
{
    return make_room(&channels->outgoing[receiver], count);
}

bool mst_channel_fits(mst_channels *channels, int receiver, size_t bytes)
{
    mst_channel_end *end = &channels->outgoing[receiver];
    uint64_t parts = bytes / MST_PART_BYTES;
    uint64_t all = parts * entry_bytes(MST_PART_BYTES) + entry_bytes(bytes % MST_PART_BYTES) + MST_ENTRY_UNIT;

    return bytes < MST_CHANNEL_BYTES && learn_head(end) == MST_FLOW_OK && has_room(end, all);
}

mst_flow mst_channel_put(mst_channels *channels, int receiver, const mst_envelope *envelope,
                         const void *bytes, size_t count)
{
    mst_channel_end *end = &channels->outgoing[receiver];
    uint64_t position = end->position, next = position + entry_bytes(count);

    mst_flow flow = make_room(end, count);
    if (flow != MST_FLOW_OK)
        return flow;
    mst_entry *entry = entry_at(end->channel, position);
    mst_store32_rlx(&entry_at(end->channel, next)->flag, 0); /* published with the entry, by E5 */
    entry->kind = (uint16_t)envelope->kind;
    entry->tag = envelope->tag;
    entry->count = envelope->count;
    copy_in(channels, end, position + sizeof *entry, bytes, count);
    mst_fault_point("message.write");
    mst_exchange32_sc(&entry->flag, number_at(position)); /* E5: publishes the entry */
    mst_fault_point("message.put");
    end->last = position;
    end->position = next;
    mst_signal_ring(&channels->subarena->cells[receiver]->bell);
    return MST_FLOW_OK;
}

bool mst_channel_is_awaited(const mst_channels *channels, int receiver)
{
    const mst_channel_end *end = &channels->outgoing[receiver];

    return mst_load64_sc(&end->channel->posted) == end->position + 1; /* E6: a hint */
}

mst_flow mst_channel_wants(const mst_channels *channels, int receiver, size_t bytes, void **buffer)
{
    const mst_subarena *subarena = channels->subarena;
    const mst_channel_end *end = &channels->outgoing[receiver];

    if (mst_load64_sc(&end->channel->posted) != end->last + 1) /* E6: where it wants them */
        return MST_FLOW_NOT_NOW;
    uint64_t wanted_at = end->channel->wanted_at; /* read once */
    if (wanted_at == 0 || end->channel->wanted_bytes != bytes)
        return MST_FLOW_NOT_NOW; /* private, or of another size, of which the receiver will complain */
    *buffer = mst_layout_heap_at(&subarena->attachment->geometry, subarena->shares[receiver].seat, wanted_at,
                                 bytes);
    return *buffer ? MST_FLOW_OK : MST_FLOW_DAMAGED;
}

mst_flow mst_channel_is_taken(mst_channels *channels, int receiver)
{
    mst_channel_end *end = &channels->outgoing[receiver];

    mst_flow flow = learn_head(end);
    return flow != MST_FLOW_OK || end->head == end->position ? flow : MST_FLOW_NOT_NOW;
}

/* ---- the receiver's end ---- */

mst_flow mst_channel_look(mst_channels *channels, int sender, mst_envelope *envelope)
{
    mst_channel_end *end = &channels->incoming[sender];
    mst_flow flow = find(channels, sender);

    if (flow != MST_FLOW_OK || !end->channel)
        return flow == MST_FLOW_OK ? MST_FLOW_NOT_NOW : flow;
    const mst_entry *entry = entry_at(end->channel, end->position);
    uint32_t flag = mst_load32_sc(&entry->flag); /* E5: the entry is written */
    if (flag == 0)
        return MST_FLOW_NOT_NOW;
    if (flag != number_at(end->position))
        return MST_FLOW_DAMAGED;
    *envelope = (mst_envelope){ (mst_entry_kind)entry->kind, entry->tag, entry->count };
    return MST_FLOW_OK;
}

static void go_on(mst_channels *channels, int sender, size_t count, bool at_once)
{
    mst_channel_end *end = &channels->incoming[sender];

    end->position += entry_bytes(count);
    if (!at_once && end->position - end->head < MST_CHANNEL_BYTES / 4)
        return;
    end->head = end->position;
    mst_fault_point("message.take");
    mst_exchange64_sc(&end->channel->head, end->head); /* E6: all before may be written again */
    mst_fault_point("message.taken");
    mst_signal_ring(&channels->subarena->cells[sender]->bell);
}

void mst_channel_take(mst_channels *channels, int sender, void *to, size_t count, bool at_once)
{
    mst_channel_end *end = &channels->incoming[sender];

    if (to)
        copy_out(end->channel, end->position + sizeof(mst_entry), to, count);
    go_on(channels, sender, count, at_once);
}

const void *mst_channel_view(const mst_channels *channels, int sender, size_t bytes)
{
    const mst_subarena *subarena = channels->subarena;
    const mst_channel_end *end = &channels->incoming[sender];
    uint64_t offset;

    copy_out(end->channel, end->position + sizeof(mst_entry), &offset, sizeof offset);
    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->shares[sender].seat, offset, bytes);
}

bool mst_channel_post(mst_channels *channels, int sender, uint64_t wanted_at, size_t bytes)
{
    mst_channel_end *end = &channels->incoming[sender];

    if (!end->channel)
        return false;
    end->channel->wanted_at = wanted_at;
    end->channel->wanted_bytes = bytes;
    mst_fault_point("message.want");
    mst_exchange64_sc(&end->channel->posted, end->position + 1); /* E6: publishes the place */
    mst_fault_point("message.wanted");
    mst_signal_ring(&channels->subarena->cells[sender]->bell);
    return true;
}
