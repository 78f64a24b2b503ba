/*
 * Moves one message, or one in each direction at once, between this rank and one peer for each, through the
 * pair's channels.
 */
#ifndef MST_EXCHANGE_H
#define MST_EXCHANGE_H

#include "src/onehost/stall.h"

/* One direction of a call. */
typedef struct mst_transfer {
    bool active;
    bool begun;  /* the first entry has been put, or consumed */
    bool viewed; /* the first entry is a view */
    bool posted; /* we have posted that we wait */
    bool shown;  /* has a published activity, as a wait */
    int peer;
    unsigned char *bytes; /* the user's; only read when sending */
    size_t total;
    size_t done;
} mst_transfer;

typedef struct mst_exchange {
    mst_group *group;
    const mst_message *message;
    mst_transfer out, in;
    mst_waiting waiting;
} mst_exchange;

/* Moves both directions until they are done. The channel to the receiver must be open. */
muster_status mst_exchange_run(mst_exchange *exchange);

#endif
