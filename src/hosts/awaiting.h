/* One wait for started operations of which some are collectives over several hosts. */
#ifndef MST_HOSTS_AWAITING_H
#define MST_HOSTS_AWAITING_H

#include "src/hosts/actions.h"

/* Where what is waited for next is from: a run, or the set. */
typedef struct mst_origin {
    mst_run *run; /* NULL: the set */
    size_t at;    /* its place there */
} mst_origin;

typedef struct mst_awaiting {
    mst_wait_set *set;
    size_t index; /* the last that is over; the count: none is */
    size_t first; /* those before it are over */
    muster_request *requests;
    int *peers;
    mst_origin *origins;
    size_t count, room;
} mst_awaiting;

/* Waits until one of its requests is over, with watches in the groups of their runs, of which this is the
 * first. */
muster_status mst_awaiting_sleep(mst_awaiting *awaiting, mst_run *run);

#endif
