/*
 * Channels: entries from one member to another, in order, through two slots and a ring in the sender's
 * region.
 *
 * A channel is made when a pair first speaks and lives as long as the group; its place is published in
 * a table of one offset per receiver (E4). An entry is a stamp, what the message says of itself, and
 * bytes, in whole cache lines: the receiver looks at the stamp of the next entry, and a small message has
 * come with it (E5).
 *
 * The ring takes everything. The sender clears the stamp behind an entry before it publishes the entry, so
 * that old bytes are never taken for a stamp. The receiver gives room back (E6) a quarter of the ring at a
 * time; the sender looks there only when it believes the ring full. Each end keeps its own position in
 * private memory and uses the other's words after checking them.
 *
 * The slots are for small messages of a pair that answer each other: a few lines that are used over and over
 * are twice as fast as a ring, whose lines have gone from the caches when their turn comes. An entry goes
 * into its slot, by its number even or odd, if the sender knows that the one before it there has been taken.
 * It knows by the receiver's own entries, each of which says how many it has taken (E20): so that knowing
 * costs nothing, and where nobody answers there is the ring.
 *
 * Bytes that lie in the sender's heap need not travel: an entry can say where they are, and the sender
 * waits until the receiver is done with the entry. A receiver that waits for a large message posts that
 * it does, so that the sender knows it would not wait long, and where its buffer lies in its heap, if it
 * does, so that the sender can write there.
 *
 * Nothing here waits: both ends do what can be done now and say whether it was; whoever must wait sleeps
 * on its own doorbell. One thread may be at one end of a channel and another at the other.
 */
#ifndef MST_CHANNEL_H
#define MST_CHANNEL_H

#include "shm/group/store_policy.h"
#include "shm/group/subarena.h"

#define MST_PART_BYTES                                                                                       \
    32768 /* the most of one entry: the receiver copies one while the sender fills the next */

/* memcpy by non-temporal stores. */
typedef void (*mst_stream_fn)(void *to, const void *from, size_t bytes);

typedef enum mst_entry_kind {
    MST_ENTRY_MESSAGE, /* the first bytes, or all */
    MST_ENTRY_PART,    /* the next ones */
    MST_ENTRY_VIEW,    /* instead of bytes, the offset where they lie */
    MST_ENTRY_WRITTEN  /* no bytes: the sender has written into the receiver's buffer what was its share */
} mst_entry_kind;

typedef struct mst_channel_end {
    mst_channel *channel;         /* NULL: not made, or not found yet */
    uint64_t number;              /* of this end's next entry, from 1 */
    uint64_t position;            /* where the next entry in the ring begins; only grows */
    uint64_t head;                /* as this end last knew, or published, it */
    uint64_t slots[2];            /* the sender's: which entry lies there, or lay there; 0: none */
    const mst_entry *found;       /* the receiver's: the next entry, once it has come */
    mst_store_policy policy;      /* of the bytes of entries */
    mst_store_policy view_stores; /* of bytes that are written where they are wanted */
} mst_channel_end;

/* What the thread that receives from a member leaves for the one that sends to it. */
typedef struct mst_channel_notes {
    _Atomic uint64_t taken;        /* of its entries, how many we have taken, E20 */
    _Atomic uint64_t acknowledged; /* of our entries, how many it has taken, as it said, E20 */
} mst_channel_notes;

typedef struct mst_channels {
    mst_subarena *subarena;
    mst_channel_end *outgoing; /* by receiver */
    mst_channel_end *incoming; /* by sender */
    mst_channel_notes *notes;  /* by member */
    uint64_t table_offset;     /* of our table, 0: not made yet */
    uint64_t ring_bytes;
    mst_stream_fn stream;
    mst_store_plan plan; /* of channels that are not made yet */
} mst_channels;

bool mst_channels_init(mst_channels *channels, mst_subarena *subarena,
                       mst_stream_fn stream); /* false: no memory */
void mst_channels_destroy(mst_channels *channels);

/* Makes the ring to `receiver` if there is none. NO_SPACE and the like; nothing is half made. */
muster_status mst_channel_open(mst_channels *channels, int receiver);

typedef enum mst_flow { MST_FLOW_OK, MST_FLOW_NOT_NOW, MST_FLOW_DAMAGED } mst_flow;

/* What an entry says; private to an end. */
typedef struct mst_envelope {
    mst_entry_kind kind;
    uint16_t tag;
    uint64_t count;
} mst_envelope;

/* ---- the sender's end ---- */

/* Asks for the line that a small message of so many bytes will begin in, where the receiver is looking for
 * it: as long before it is put as can be. */
void mst_channel_prefetch(const mst_channels *channels, int receiver, size_t bytes);

/* Puts an entry with up to MST_PART_BYTES bytes, if there is room for all of them. */
mst_flow mst_channel_put(mst_channels *channels, int receiver, const mst_envelope *envelope,
                         const void *bytes, size_t count);

/* Whether there is room for such an entry. */
mst_flow mst_channel_has_room(mst_channels *channels, int receiver, size_t bytes);

/* Whether a message of so many bytes would fit into the ring as it is. */
bool mst_channel_fits(mst_channels *channels, int receiver, size_t bytes);

/* Whether the receiver waits for the entry that is put next. */
bool mst_channel_is_awaited(const mst_channels *channels, int receiver);

/* Whether the receiver has said where it wants the bytes of the view that was put last, so that the
 * sender can write some of them; *buffer: there, in the receiver's heap. */
mst_flow mst_channel_wants(const mst_channels *channels, int receiver, size_t bytes, void **buffer);

/* Whether the receiver is done with all that was put. */
mst_flow mst_channel_is_taken(mst_channels *channels, int receiver);

/* ---- the receiver's end ---- */

/* Whether the next entry is there, and what it says. */
mst_flow mst_channel_look(mst_channels *channels, int sender, mst_envelope *envelope);

/* Takes the bytes of the next entry, which is there, NULL: leaves them; `at_once`: the sender waits for it.
 */
void mst_channel_take(mst_channels *channels, int sender, void *to, size_t count, bool at_once);

/* Where the `bytes` of a view lie, which is the next entry and is there; NULL: not in the sender's heap. */
const void *mst_channel_view(const mst_channels *channels, int sender, size_t bytes);

/* Says that this end waits for the next entry, or for its bytes if it is a view, and where in its heap it
 * wants so many, 0: not there; false: the ring is not there yet. Once per entry. */
bool mst_channel_post(mst_channels *channels, int sender, uint64_t wanted_at, size_t bytes);

#endif
