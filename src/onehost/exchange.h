/*
 * One message, or one in each direction at once, of a rank with one peer each, through the pair's channels.
 */
#ifndef MST_EXCHANGE_H
#define MST_EXCHANGE_H

#include "src/onehost/stall.h"

/* One direction of a call. */
typedef struct mst_transfer {
    bool active;
    bool begun;  /* the first entry is put, or taken */
    bool viewed; /* which was a view */
    bool posted; /* that we wait */
    bool shown;  /* to those who look from outside, as a wait */
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

/* Moves both until they are done. The channel that it sends by is open. */
muster_status mst_exchange_run(mst_exchange *exchange);

#endif
