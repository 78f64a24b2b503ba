/* What a backend above another one tells it to show to observers in its place. */
#ifndef MST_SHOWN_H
#define MST_SHOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "muster/muster.h"

struct mst_request;
struct mst_message;

/* A group of another backend, whose calls observers are to see in place of those of the group on this host
 * that it has. */
typedef struct mst_seen_as {
    uint64_t number;
    bool world; /* it is the world, which has one number everywhere */
    int rank, size;
    const uint64_t *members; /* bits by rank in the job */
} mst_seen_as;

#define MST_SEEN_WORDS 16 /* of such bits */

typedef enum mst_shown_kind {
    MST_SHOWN_COLLECTIVE,
    MST_SHOWN_MESSAGE,
    MST_SHOWN_PROBE,
    MST_SHOWN_MESSAGES, /* the wait for some that were started */
    MST_SHOWN_SPLIT,
    MST_SHOWN_DUP,
    MST_SHOWN_SUBSET
} mst_shown_kind;

/* What such a group is doing. */
typedef struct mst_shown {
    mst_shown_kind kind;
    muster_call_class class;
    const struct mst_request *request; /* of a collective */
    const struct mst_message
        *message; /* of a message, in the class's direction; of a probe: source and tag */
    bool started;
    uint64_t operation, latest; /* its number, and that of the latest one of its class */
    uint64_t under_way;         /* of collectives: those that were started and are not completed */
    int peer_in_job;            /* of a message: the rank in the job for which it waits; -1: any */
} mst_shown;

#endif
