/*
 * Channels: entries from one member to another, in order, through two slots and a ring in the sender's
 * region. This file has what both ends share; channel_out.h is the sender's end, channel_in.h the receiver's.
 *
 * A channel is created when a pair first communicates and lives as long as the group; its offset is published
 * in a table of one offset per receiver (E4). An entry is a stamp, what the message is, and bytes, in whole
 * cache lines: the receiver polls the stamp of the next entry, and a small message arrives with the same line
 * (E5).
 *
 * The ring can take every entry. The sender clears the stamp after an entry before it publishes the entry, so
 * that old bytes are never taken for a stamp. The receiver frees space (E6) a quarter of the ring at a time;
 * the sender reads that only when it believes the ring to be full. Each end keeps its own position in private
 * memory and checks the other's words before using them.
 *
 * The slots are for small messages of a pair that answer each other: a few lines that are used over and over
 * are up to twice as fast as a ring, whose lines have left the caches before they are reused; above 2.5 KiB
 * the ring is faster. An entry uses the slot of its number's parity, if the sender knows that the previous
 * entry there has been consumed. It knows this from the receiver's own entries, each of which states how many
 * it has consumed (E20). An entry of few lines that finds its slot taken, as one of several that are started
 * together, has a short slot by its number, if the entry that may be there, MST_SHORT_SLOTS before it, is
 * known to have been consumed. If the receiver sends nothing, the two are used once, short ones by the first
 * MST_SHORT_SLOTS, else the ring is.
 *
 * The receiver may leave an entry where it is and go on to the next (channel_in.h). Space is freed up to the
 * first entry that was left. When what was left fills the ring, the receiver says that it starves (E6), and
 * the sender passes the ring: an announcement tells of a message without its bytes, and one entry beside the
 * ring, the express entry, carries bytes that the receiver has asked for.
 *
 * Bytes in the sender's heap need not be copied: an entry can state their offset, and the sender waits until
 * the receiver has read them. The receiver answers messages that do not travel by themselves (E28): that it
 * wants the rest, that it wants a part of a view written to its own heap, that it has read a view.
 *
 * Nothing here waits: both ends do what is possible now and return whether it was. A caller that must wait
 * sleeps on its own doorbell. One thread may use one end of a channel and another thread the other end.
 */
#ifndef MST_CHANNEL_H
#define MST_CHANNEL_H

#include "shm/group/store_policy.h"
#include "shm/group/subarena.h"

/* Bytes of an entry of a message, at most: the receiver copies one while the sender fills the next. */
#define MST_PART_BYTES 16384

/* The same behind what travels by itself, where both ends are under way, and each entry takes its time. */
#define MST_REST_PART_BYTES 32768

/* Bytes of an entry that is copied without much ado: none of a store policy (store_policy.h), either. */
#define MST_SHORT_BYTES 256

/* Bytes of an entry up to which prefetching on the way costs more than it saves. */
#define MST_NEAR_BYTES 2560

/* Bytes of a message that travel without being asked for: one entry, or a first one and parts after it. */
#define MST_FURTHER_MAX 3
#define MST_EAGER_BYTES ((1 + MST_FURTHER_MAX) * MST_PART_BYTES)

/* memcpy of an entry's bytes. */
typedef void (*mst_entry_copy_fn)(void *to, const void *from, size_t bytes);

typedef struct mst_entry_copies {
    mst_entry_copy_fn stream;     /* into the channel, by non-temporal stores */
    mst_entry_copy_fn give, take; /* into it by ordinary stores, and out of it: if larger than a slot's */
} mst_entry_copies;

typedef enum mst_entry_kind {
    MST_ENTRY_WHOLE,          /* a message of up to MST_PART_BYTES */
    MST_ENTRY_FIRST,          /* the first MST_PART_BYTES of a longer one */
    MST_ENTRY_VIEW,           /* a message, of which the entry has only where it is in the sender's heap */
    MST_ENTRY_ANNOUNCED,      /* an announcement of a message whose bytes can be asked for */
    MST_ENTRY_ANNOUNCED_VIEW, /* the same of a view */
    MST_ENTRY_PART,           /* further bytes of a message: MST_REST_PART_BYTES at most */
    MST_ENTRY_WRITTEN,        /* no bytes: the sender has written its part into the receiver's buffer */
    MST_ENTRY_KINDS
} mst_entry_kind;

/* What an entry is; a private copy. */
typedef struct mst_envelope {
    mst_entry_kind kind;
    int32_t tag;
    uint32_t type;
    size_t bytes;     /* in this entry */
    uint64_t number;  /* of the entry; set by the channel */
    uint64_t total;   /* of a message: its bytes */
    uint64_t message; /* of further entries: number of the message's first */
    uint64_t offset;  /* of a view: in the sender's heap; of a part: where its bytes are in the message */
} mst_envelope;

typedef enum mst_answer_kind {
    MST_ANSWER_REST,   /* send the rest */
    MST_ANSWER_WANTED, /* write your part of the view to this offset in my heap */
    MST_ANSWER_READ,   /* the view has been read */
    MST_ANSWER_KINDS
} mst_answer_kind;

/* An entry that the receiver has left where it is. */
typedef struct mst_kept {
    struct mst_kept *next;
    const mst_entry *at; /* NULL: it was an announcement */
    uint64_t number;
    uint64_t position; /* of the ring, from where it cannot be freed */
    bool over;
} mst_kept;

typedef struct mst_channel_end {
    mst_channel *channel;              /* NULL: not created, or not found yet */
    uint64_t number;                   /* of the next entry at this end, from 1 */
    uint64_t position;                 /* of the next entry in the ring; only grows */
    uint64_t head;                     /* up to where the ring is free, as last read or published */
    uint64_t slots[2];                 /* sender: number of the latest entry in each slot; 0: none */
    const mst_entry *found;            /* receiver: the next entry, once it has arrived */
    const mst_announcement *announced; /* receiver: the same, if it is an announcement; else NULL */
    mst_kept *kept_first, *kept_last;  /* receiver: entries that it has left, in order */
    uint64_t announcements;            /* put, or read */
    uint64_t express;                  /* entries beside the ring, put or taken */
    uint64_t answers;                  /* read, or given */
    uint64_t starved;                  /* receiver: as last published */
    uint64_t run;                      /* receiver: entries taken since it has looked in vain */
    mst_store_policy policy;           /* for the bytes of entries */
    mst_store_policy view_stores;      /* for bytes that are written directly into the receiver's buffer */
} mst_channel_end;

/* What the thread that receives from a member tells the thread that sends to it. */
typedef struct mst_channel_notes {
    _Atomic uint64_t taken;        /* number up to which we have consumed its entries, E20 */
    _Atomic uint64_t acknowledged; /* number up to which it has consumed ours, as it stated, E20 */
} mst_channel_notes;

typedef struct mst_channels {
    mst_subarena *subarena;
    mst_channel_end *outgoing; /* by receiver */
    mst_channel_end *incoming; /* by sender */
    mst_channel_notes *notes;  /* by member */
    uint64_t table_offset;     /* of our table; 0: not created yet */
    uint64_t ring_bytes;       /* a power of two */
    mst_entry_copies copies;
    mst_store_plan plan; /* for channels that do not exist yet */
} mst_channels;

bool mst_channels_init(mst_channels *channels, mst_subarena *subarena,
                       mst_entry_copies copies); /* false: no memory */
void mst_channels_destroy(mst_channels *channels);

typedef enum mst_flow { MST_FLOW_OK, MST_FLOW_NOT_NOW, MST_FLOW_DAMAGED } mst_flow;

/* Creates the channel to `receiver`; the second one, if there is none. On failure (NO_SPACE and others)
 * nothing has changed. */
muster_status mst_channel_create(mst_channels *channels, int receiver);

static inline muster_status mst_channel_open(mst_channels *channels, int receiver)
{
    return channels->outgoing[receiver].channel ? MUSTER_OK : mst_channel_create(channels, receiver);
}

/* Finds the channel from `sender` to us, once it exists. */
mst_flow mst_channel_find(mst_channels *channels, int sender);

/* Wakes a member, if it waits for messages, or for anything else while messages are to be moved. */
static inline void mst_channels_ring(const mst_channels *channels, int member)
{
    const mst_subarena *subarena = channels->subarena;

    mst_eventcount_ring(&subarena->cells[member]->doorbell);
    mst_eventcount_ring(
        &mst_layout_entry(&subarena->attachment->geometry, subarena->members[member].seat)->doorbell);
}

/* ---- entries ---- */

static inline size_t mst_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes of an entry before the `bytes` of the message. */
static inline size_t mst_entry_head_bytes(mst_entry_kind kind, size_t bytes)
{
    if (bytes >= MST_ENTRY_LARGE)
        return MST_ENTRY_UNIT;
    return sizeof(mst_entry) + (kind == MST_ENTRY_WHOLE ? 0 : sizeof(mst_entry_part));
}

static inline uint64_t mst_entry_bytes(mst_entry_kind kind, size_t bytes)
{
    return (mst_entry_head_bytes(kind, bytes) + bytes + MST_ENTRY_UNIT - 1) / MST_ENTRY_UNIT * MST_ENTRY_UNIT;
}

static inline mst_entry *mst_entry_at(const mst_channels *channels, mst_channel *channel, uint64_t position)
{
    return (mst_entry *)(void *)(channel->ring + (position & (channels->ring_bytes - 1)));
}

static inline mst_entry *mst_entry_slot(mst_channel *channel, uint64_t number)
{
    return (mst_entry *)(void *)channel->slots[number & 1];
}

static inline mst_entry *mst_entry_short_slot(mst_channel *channel, uint64_t number)
{
    return (mst_entry *)(void *)channel->short_slots[number % MST_SHORT_SLOTS];
}

/* A stamp: the number modulo 2^44, the kind, and the bytes. */
#define MST_STAMP_NUMBER 20
#define MST_STAMP_KIND 16

static inline uint64_t mst_stamp_pack(uint64_t number, mst_entry_kind kind, size_t bytes)
{
    return number << MST_STAMP_NUMBER | (uint64_t)kind << MST_STAMP_KIND | bytes;
}

static inline bool mst_stamp_is_of(uint64_t stamp, uint64_t number)
{
    return ((stamp ^ number << MST_STAMP_NUMBER) >> MST_STAMP_NUMBER) == 0;
}

/* What a receiver waits for: the number of the next entry, and a tag. */
static inline uint64_t mst_posted_pack(uint64_t number, int32_t tag)
{
    return number << 32 | (uint32_t)tag;
}

#endif
