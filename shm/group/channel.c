/* Creates and finds the channels of channel.h. */
#include "shm/group/channel.h"

#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/group/group_blocks.h"

bool mst_channels_init(mst_channels *channels, mst_subarena *subarena, mst_entry_copies copies)
{
    size_t size = (size_t)subarena->size;

    *channels = (mst_channels){
        .subarena = subarena,
        .copies = copies,
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
    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->members[rank].seat, offset,
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

/* Memory of the heap may have been used before. */
static void clear(const mst_channels *channels, mst_channel *channel)
{
    mst_store64_rlx(&channel->head, 0);
    mst_store64_rlx(&channel->posted, 0);
    mst_store64_rlx(&channel->starved, 0);
    mst_store64_rlx(&channel->announcements_taken, 0);
    mst_store64_rlx(&channel->express_taken, 0);
    mst_store64_rlx(&channel->answers_taken, 0);
    for (int i = 0; i < MST_ANSWERS; i++)
        mst_store64_rlx(&channel->answers[i].stamp, 0);
    for (int i = 0; i < MST_ANNOUNCEMENTS; i++)
        mst_store64_rlx(&channel->announcements[i].stamp, 0);
    mst_store64_rlx(&mst_entry_slot(channel, 0)->stamp, 0);
    mst_store64_rlx(&mst_entry_slot(channel, 1)->stamp, 0);
    for (int i = 0; i < MST_SHORT_SLOTS; i++)
        mst_store64_rlx(&mst_entry_short_slot(channel, (uint64_t)i)->stamp, 0);
    mst_store64_rlx(&((mst_entry *)(void *)channel->express)->stamp, 0);
    mst_store64_rlx(&mst_entry_at(channels, channel, 0)->stamp, 0);
}

muster_status mst_channel_create(mst_channels *channels, int receiver)
{
    mst_subarena *subarena = channels->subarena;
    const mst_geometry *geometry = &subarena->attachment->geometry;
    uint64_t offset;

    muster_status status = open_table(channels);
    if (status == MUSTER_OK)
        status = mst_subarena_claim_block(subarena, channel_bytes(channels), &offset);
    if (status != MUSTER_OK)
        return status;
    mst_channel *channel = mst_layout_heap_at(geometry, subarena->own.seat, offset, channel_bytes(channels));
    clear(channels, channel);
    begin(channels, &channels->outgoing[receiver], channel);
    _Atomic uint64_t *table = table_of(subarena, subarena->rank, channels->table_offset);
    mst_fault_point("ring.publish");
    mst_exchange64_sc(&table[receiver], offset); /* E4: publishes the empty ring */
    return MUSTER_OK;
}

/* Loads are _sc, not acquire: a receiver that has announced its sleep (E9) must not read a word from before
 * the sender's _sc store, or both could miss each other. Offsets come from a peer and are checked. */
mst_flow mst_channel_find(mst_channels *channels, int sender)
{
    mst_subarena *subarena = channels->subarena;
    const mst_geometry *geometry = &subarena->attachment->geometry;
    uint32_t seat = subarena->members[sender].seat;

    if (channels->incoming[sender].channel)
        return MST_FLOW_OK;
    uint64_t table_offset = mst_load64_sc(&subarena->cells[sender]->channels); /* E4 */
    if (table_offset == 0)
        return MST_FLOW_NOT_NOW;
    const _Atomic uint64_t *table = table_of(subarena, sender, table_offset);
    if (!table || table_offset % MST_EXTENT_UNIT)
        return MST_FLOW_DAMAGED;
    uint64_t offset = mst_load64_sc(&table[subarena->rank]); /* E4 */
    if (offset == 0)
        return MST_FLOW_NOT_NOW;
    mst_channel *channel = mst_layout_heap_at(geometry, seat, offset, channel_bytes(channels));
    if (!channel || offset % MST_EXTENT_UNIT)
        return MST_FLOW_DAMAGED;
    begin(channels, &channels->incoming[sender], channel);
    return MST_FLOW_OK;
}
