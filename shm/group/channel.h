/*
 * Channels: entries from one member to another, in order, through two slots and a ring in the sender's
 * region.
 *
 * A channel is created when a pair first communicates and lives as long as the group; its offset is published
 * in a table of one offset per receiver (E4). An entry is a stamp, the message's envelope and bytes, in whole
 * cache lines: the receiver polls the stamp of the next entry, and a small message arrives with the same line
 * (E5).
 *
 * The ring can take every entry. The sender clears the stamp after an entry before it publishes the entry, so
 * that old bytes are never taken for a stamp. The receiver frees space (E6) a quarter of the ring at a time;
 * the sender reads that only when it believes the ring to be full. Each end keeps its own position in private
 * memory and checks the other's words before using them.
 *
 * The slots are for small messages of a pair that answer each other: a few lines that are used over and over
 * are twice as fast as a ring, whose lines have left the caches before they are reused. An entry uses the
 * slot of its number's parity, if the sender knows that the previous entry there has been consumed. It knows
 * this from the receiver's own entries, each of which states how many it has consumed (E20); that costs
 * nothing, and if the receiver sends nothing, entries use the ring.
 *
 * Bytes in the sender's heap need not be copied: an entry can state their offset, and the sender waits until
 * the receiver has consumed the entry. A receiver that waits for a large message posts that it waits, so that
 * the sender knows that it would not wait long, and, if its buffer is in its heap, the offset, so that the
 * sender can write there.
 *
 * Nothing here waits: both ends do what is possible now and return whether it was. A caller that must wait
 * sleeps on its own doorbell. One thread may use one end of a channel and another thread the other end.
 */
#ifndef MST_CHANNEL_H
#define MST_CHANNEL_H

#include "shm/group/store_policy.h"
#include "shm/group/subarena.h"

#define MST_PART_BYTES                                                                                       \
    32768 /* bytes of one entry at most: the receiver copies one while the sender fills the next */

/* memcpy with non-temporal stores. */
typedef void (*mst_stream_fn)(void *to, const void *from, size_t bytes);

typedef enum mst_entry_kind {
    MST_ENTRY_MESSAGE, /* the first bytes, or all */
    MST_ENTRY_PART,    /* further bytes */
    MST_ENTRY_VIEW,    /* instead of bytes, the offset of the bytes in the sender's heap */
    MST_ENTRY_WRITTEN  /* no bytes: the sender has written its share into the receiver's buffer */
} mst_entry_kind;

typedef struct mst_channel_end {
    mst_channel *channel;         /* NULL: not created, or not found yet */
    uint64_t number;              /* of the next entry at this end, from 1 */
    uint64_t position;            /* of the next entry in the ring; only grows */
    uint64_t head;                /* the receiver's position, as this end last read or published it */
    uint64_t slots[2];            /* sender: number of the latest entry in each slot; 0: none */
    const mst_entry *found;       /* receiver: the next entry, once it has arrived */
    mst_store_policy policy;      /* for the bytes of entries */
    mst_store_policy view_stores; /* for bytes that are written directly into the receiver's buffer */
} mst_channel_end;

/* What the thread that receives from a member tells the thread that sends to it. */
typedef struct mst_channel_notes {
    _Atomic uint64_t taken;        /* number of its entries that we have consumed, E20 */
    _Atomic uint64_t acknowledged; /* number of our entries that it has consumed, as it stated, E20 */
} mst_channel_notes;

typedef struct mst_channels {
    mst_subarena *subarena;
    mst_channel_end *outgoing; /* by receiver */
    mst_channel_end *incoming; /* by sender */
    mst_channel_notes *notes;  /* by member */
    uint64_t table_offset;     /* of our table; 0: not created yet */
    uint64_t ring_bytes;
    mst_stream_fn stream;
    mst_store_plan plan; /* for channels that do not exist yet */
} mst_channels;

bool mst_channels_init(mst_channels *channels, mst_subarena *subarena,
                       mst_stream_fn stream); /* false: no memory */
void mst_channels_destroy(mst_channels *channels);

/* Creates the channel to `receiver` if there is none. On failure (NO_SPACE and others) nothing has
 * changed. */
muster_status mst_channel_open(mst_channels *channels, int receiver);

typedef enum mst_flow { MST_FLOW_OK, MST_FLOW_NOT_NOW, MST_FLOW_DAMAGED } mst_flow;

/* The header of an entry; a private copy. */
typedef struct mst_envelope {
    mst_entry_kind kind;
    uint16_t tag;
    uint64_t count;
} mst_envelope;

/* ---- the sender's end ---- */

/* Prefetches, for writing, the line in which a small message of this size will begin, and which the receiver
 * is polling: to be called as long before mst_channel_put as possible. */
void mst_channel_prefetch(const mst_channels *channels, int receiver, size_t bytes);

/* Appends an entry of up to MST_PART_BYTES bytes, if there is space for all of them. */
mst_flow mst_channel_put(mst_channels *channels, int receiver, const mst_envelope *envelope,
                         const void *bytes, size_t count);

/* Whether there is space for such an entry. */
mst_flow mst_channel_has_room(mst_channels *channels, int receiver, size_t bytes);

/* Whether a message of this size would fit into the free space of the ring. */
bool mst_channel_fits(mst_channels *channels, int receiver, size_t bytes);

/* Whether the receiver waits for the entry that is put next. */
bool mst_channel_is_awaited(const mst_channels *channels, int receiver);

/* Whether the receiver has posted where it wants the bytes of the latest view, so that the sender can write
 * some of them; *buffer: that address, in the receiver's heap. */
mst_flow mst_channel_wants(const mst_channels *channels, int receiver, size_t bytes, void **buffer);

/* Whether the receiver has consumed all entries. */
mst_flow mst_channel_is_taken(mst_channels *channels, int receiver);

/* ---- the receiver's end ---- */

/* Whether the next entry has arrived, and its envelope. */
mst_flow mst_channel_look(mst_channels *channels, int sender, mst_envelope *envelope);

/* Consumes the next entry, which has arrived, and copies its bytes unless `to` is NULL. `at_once`: the sender
 * waits for that. */
void mst_channel_take(mst_channels *channels, int sender, void *to, size_t count, bool at_once);

/* The address of the `bytes` of a view, which is the next entry and has arrived; NULL: outside the sender's
 * heap. */
const void *mst_channel_view(const mst_channels *channels, int sender, size_t bytes);

/* Posts that this end waits for the next entry, or for its bytes if it is a view, and the offset in its heap
 * where it wants `bytes` bytes, 0: elsewhere. false: the channel does not exist yet. Once per entry. */
bool mst_channel_post(mst_channels *channels, int sender, uint64_t wanted_at, size_t bytes);

#endif
