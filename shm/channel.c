/* The rings of channel.h. */
#include "shm/channel.h"

#include <stdlib.h>
#include <string.h>

#include "shm/atomic.h"
#include "shm/error.h"

/* A long message is published in parts, so that the receiver copies while the sender does. */
#define PUBLISH_BYTES (32 * 1024)

bool mst_channels_init(mst_channels *channels, mst_subarena *subarena)
{
    size_t size = (size_t)subarena->size;

    *channels = (mst_channels){
        .subarena = subarena,
        .outgoing = calloc(size, sizeof *channels->outgoing),
        .incoming = calloc(size, sizeof *channels->incoming),
    };
    if (channels->outgoing && channels->incoming)
        return true;
    mst_channels_destroy(channels);
    return false;
}

void mst_channels_destroy(mst_channels *channels)
{
    free(channels->outgoing);
    free(channels->incoming);
    *channels = (mst_channels){ 0 };
}

/*
 * Loads here are _sc, not acquire: a receiver that has announced its sleep (E9) must not read a
 * word from before the sender's _sc store, or both could miss each other.
 */

/* ---- finding each other ---- */

static _Atomic uint64_t *table_of(const mst_subarena *subarena, int rank, uint64_t offset)
{
    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->shares[rank].world_rank, offset,
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
    mst_channel *channel =
        mst_layout_heap_at(geometry, subarena->own.world_rank, offset, sizeof(mst_channel));
    mst_store64_rlx(&channel->tail, 0);
    mst_store64_rlx(&channel->head, 0);
    channels->outgoing[receiver].channel = channel;
    _Atomic uint64_t *table = table_of(subarena, subarena->rank, channels->table_offset);
    mst_exchange64_sc(&table[receiver], offset); /* E4: publishes the empty ring */
    return MUSTER_OK;
}

/* The ring from `sender` to us, once it is there. Offsets are a peer's words: checked. */
static mst_flow find(mst_channels *channels, int sender)
{
    mst_subarena *subarena = channels->subarena;
    const mst_geometry *geometry = &subarena->attachment->geometry;
    uint32_t world_rank = subarena->shares[sender].world_rank;

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
    mst_channel *channel = mst_layout_heap_at(geometry, world_rank, offset, sizeof(mst_channel));
    if (!channel || offset % MST_EXTENT_UNIT)
        return MST_FLOW_DAMAGED;
    channels->incoming[sender].channel = channel;
    return MST_FLOW_OK;
}

/* ---- moving bytes ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t room_of(const mst_channel_end *end, mst_flow *flow)
{
    uint64_t used = end->position - mst_load64_sc(&end->channel->head); /* E6: the bytes are free */

    *flow = used <= MST_CHANNEL_BYTES ? MST_FLOW_OK : MST_FLOW_DAMAGED;
    return *flow == MST_FLOW_OK ? (size_t)(MST_CHANNEL_BYTES - used) : 0;
}

static size_t bytes_of(const mst_channel_end *end, mst_flow *flow)
{
    uint64_t there = mst_load64_sc(&end->channel->tail) - end->position; /* E5: the bytes are written */

    *flow = there <= MST_CHANNEL_BYTES ? MST_FLOW_OK : MST_FLOW_DAMAGED;
    return *flow == MST_FLOW_OK ? (size_t)there : 0;
}

static void copy_in(mst_channel *channel, uint64_t position, const unsigned char *from, size_t bytes)
{
    size_t at = (size_t)(position % MST_CHANNEL_BYTES);
    size_t first = least(bytes, MST_CHANNEL_BYTES - at);

    memcpy(channel->bytes + at, from, first);
    memcpy(channel->bytes, from + first, bytes - first);
}

static void copy_out(const mst_channel *channel, uint64_t position, unsigned char *to, size_t bytes)
{
    size_t at = (size_t)(position % MST_CHANNEL_BYTES);
    size_t first = least(bytes, MST_CHANNEL_BYTES - at);

    memcpy(to, channel->bytes + at, first);
    memcpy(to + first, channel->bytes, bytes - first);
}

mst_flow mst_channel_push(mst_channels *channels, int receiver, const void *from, size_t bytes, size_t *moved)
{
    mst_channel_end *end = &channels->outgoing[receiver];
    mst_flow flow;

    *moved = 0;
    while (*moved < bytes) {
        size_t part = least(least(bytes - *moved, room_of(end, &flow)), PUBLISH_BYTES);
        if (part == 0)
            return flow;
        copy_in(end->channel, end->position, (const unsigned char *)from + *moved, part);
        end->position += part;
        *moved += part;
        mst_exchange64_sc(&end->channel->tail, end->position); /* E5: publishes the bytes */
        mst_signal_ring(&channels->subarena->cells[receiver]->bell);
    }
    return MST_FLOW_OK;
}

mst_flow mst_channel_pull(mst_channels *channels, int sender, void *to, size_t bytes, size_t *moved)
{
    mst_channel_end *end = &channels->incoming[sender];
    mst_flow flow = find(channels, sender);

    *moved = 0;
    if (flow != MST_FLOW_OK || !end->channel)
        return flow;
    while (*moved < bytes) {
        size_t part = least(bytes - *moved, bytes_of(end, &flow));
        if (part == 0)
            return flow;
        copy_out(end->channel, end->position, (unsigned char *)to + *moved, part);
        end->position += part;
        *moved += part;
        mst_exchange64_sc(&end->channel->head, end->position); /* E6: the bytes may be overwritten */
        mst_signal_ring(&channels->subarena->cells[sender]->bell);
    }
    return MST_FLOW_OK;
}

size_t mst_channel_room(const mst_channels *channels, int receiver)
{
    mst_flow flow;

    return room_of(&channels->outgoing[receiver], &flow);
}

bool mst_channel_has_room(const mst_channels *channels, int receiver)
{
    mst_flow flow;

    return room_of(&channels->outgoing[receiver], &flow) > 0 || flow == MST_FLOW_DAMAGED;
}

bool mst_channel_has_bytes(mst_channels *channels, int sender)
{
    mst_flow flow = find(channels, sender);

    if (flow == MST_FLOW_OK && !channels->incoming[sender].channel)
        return false;
    return flow == MST_FLOW_DAMAGED || bytes_of(&channels->incoming[sender], &flow) > 0 ||
           flow == MST_FLOW_DAMAGED;
}
