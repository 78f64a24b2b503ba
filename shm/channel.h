/*
 * Channels: bytes from one member to another, in order, through a ring in the sender's region.
 *
 * A ring is made when a pair first speaks and lives as long as the group; its place is published in
 * a table of one offset per receiver (E4). The sender owns `tail`, the receiver owns `head`; both
 * only grow. Each end keeps its own position in private memory and uses the other's word after
 * checking it: a ring never holds more than it can. Nothing here waits: both ends do what can be
 * done now and say how much that was; whoever must wait sleeps on its own bell.
 */
#ifndef MST_CHANNEL_H
#define MST_CHANNEL_H

#include "shm/subarena.h"

typedef struct mst_channel_end {
    mst_channel *channel; /* NULL: not made, or not found yet */
    uint64_t position;    /* bytes that this end has ever moved */
} mst_channel_end;

typedef struct mst_channels {
    mst_subarena *subarena;
    mst_channel_end *outgoing; /* by receiver */
    mst_channel_end *incoming; /* by sender */
    uint64_t table_offset;     /* of our table, 0: not made yet */
} mst_channels;

bool mst_channels_init(mst_channels *channels, mst_subarena *subarena); /* false: no memory */
void mst_channels_destroy(mst_channels *channels);

/* Makes the ring to `receiver` if there is none. NO_SPACE and the like; nothing is half made. */
muster_status mst_channel_open(mst_channels *channels, int receiver);

typedef enum mst_flow { MST_FLOW_OK, MST_FLOW_DAMAGED } mst_flow;

/* Moves as many of `bytes` as fit, or are there, now; *moved says how many. */
mst_flow mst_channel_push(mst_channels *channels, int receiver, const void *from, size_t bytes,
                          size_t *moved);
mst_flow mst_channel_pull(mst_channels *channels, int sender, void *to, size_t bytes, size_t *moved);

/* Bytes that would fit into the ring to `receiver` now. */
size_t mst_channel_room(const mst_channels *channels, int receiver);

/* Whether a push or a pull would move something, or find damage. */
bool mst_channel_has_room(const mst_channels *channels, int receiver);
bool mst_channel_has_bytes(mst_channels *channels, int sender);

#endif
