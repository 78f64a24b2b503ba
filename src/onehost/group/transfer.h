/*
 * What a rank's messages of one group are made of: transfers, each a send or a receive, and the state that
 * both directions keep between calls.
 *
 * outgoing.c moves sends. A send waits in the queue of its destination until its first entry has been put;
 * one that does not travel by itself then waits for the receiver's answer. incoming.c moves receives. It goes
 * through the channels from which something is wanted, and matches each message with a receive, which accepts
 * it (accept.c); what no receive matches is kept where it is, in its channel.
 *
 * A transfer belongs to its call, or, if it was started, to its request. Each direction is used by one thread
 * at a time: by the one that is in a call of its class, or, while started messages of that direction are not
 * completed (`started`), by the one that has the group's lock of pending operations. Only a thread in a call
 * of the class starts or completes messages, so that another one that is in such a call may rely on what it
 * has found. Where several threads may be in calls of a class (threads_multiple), `started` is never 0.
 */
#ifndef MST_TRANSFER_H
#define MST_TRANSFER_H

#include "shm/base/atomic.h"
#include "shm/group/channel.h"
#include "src/backend.h"
#include "src/pure/matching.h"

typedef enum mst_transfer_state {
    MST_TRANSFER_WAITS, /* a send: in the queue; a receive: posted, without a message */
    MST_TRANSFER_TOLD,  /* a send: the receiver knows of it, and has to answer */
    MST_TRANSFER_MOVES  /* a send: further entries are to be put; a receive: it has a message */
} mst_transfer_state;

typedef struct mst_transfer {
    mst_match_node node; /* first. Receives by what they match; later by (peer, number), as sends */
    struct mst_transfer *next;
    bool sends;
    bool exact;   /* a receive: the message must have `room` bytes, not at most */
    bool hinted;  /* a receive: the sender was told that we wait */
    bool viewed;  /* a send: the receiver reads it where it is */
    bool lent;    /* the same: there is private memory of ours */
    bool sharing; /* the same: the sender has written its part, and has to tell */
    bool read;    /* the same: the receiver has read it */
    mst_transfer_state state;
    _Atomic uint32_t over; /* 1: it has ended; from then on it is its owner's, who frees it */
    mst_answer_kind owed;  /* a receive in the list of answers that had no room */
    int peer;              /* MUSTER_ANY_SOURCE until a message has come */
    int tag;               /* likewise MUSTER_ANY_TAG */
    muster_dtype dtype;
    unsigned char *bytes; /* the user's; only read when sending */
    size_t room;          /* of the buffer */
    size_t total;         /* of the message */
    size_t done;          /* bytes put, or taken */
    uint64_t number;      /* of the message's first entry; 0: none yet */
    muster_message *result;
} mst_transfer;

/* A message that no receive has matched. */
typedef struct mst_unexpected {
    mst_kept kept;       /* first. Its first entry, unless it was announced */
    mst_match_node node; /* its source and tag */
    mst_envelope envelope;
    const mst_entry *further[MST_FURTHER_MAX]; /* the parts after the first entry, as they come */
    size_t further_bytes;                      /* of all of them; all but the last have MST_PART_BYTES */
    struct mst_unexpected *made_next;          /* in the list of all that were made */
} mst_unexpected;

typedef struct mst_transfers {
    mst_transfer *first, *last;
} mst_transfers;

/* Members for which there is something to do, in no order. */
typedef struct mst_members {
    int *list;
    int *places; /* by member: 1 + its place in the list; 0: it is not there */
    int count;
} mst_members;

typedef struct mst_outgoing {
    struct mst_destination {
        mst_transfers queue;   /* not put yet, in order */
        mst_transfers granted; /* whose further entries are to be put */
        int told;              /* how many wait for an answer */
        int views;             /* how many views the receiver has not read */
        bool refuses;          /* it could not read our private memory */
    } * destinations;
    mst_match_table told; /* that wait for an answer, or are granted */
    mst_members busy;
} mst_outgoing;

typedef struct mst_incoming {
    struct mst_source {
        int wanted;          /* receives of this source alone, and those that have a message of it */
        mst_transfers owing; /* receives whose answer had no room */
    } * sources;
    mst_matching matching;
    mst_match_table receiving; /* receives that have a message, of which bytes are missing */
    int any_source;            /* receives posted for any source */
    int pending;               /* receives that are not over */
    mst_members wanted;
    mst_unexpected *spare; /* by kept.next */
    mst_unexpected *made;  /* all that exist, by made_next */
} mst_incoming;

typedef struct mst_traffic {
    mst_outgoing outgoing;
    mst_incoming incoming;
    _Atomic uint32_t
        started[2]; /* sends, receives: started, and not completed; and 1 with threads_multiple */
    bool ended;     /* a call has failed, and its transfers are gone: nothing moves any more */
} mst_traffic;

bool mst_traffic_init(mst_traffic *traffic, int size); /* false: no memory */
void mst_traffic_destroy(mst_traffic *traffic);

void mst_members_add(mst_members *members, int member);
void mst_members_remove(mst_members *members, int member);

/* A receive of this source, which may be any, is posted; it is over. */
void mst_incoming_want(mst_incoming *incoming, int source);
void mst_incoming_unwant(mst_incoming *incoming, int source);

void mst_transfers_append(mst_transfers *list, mst_transfer *transfer);
void mst_transfers_remove_first(mst_transfers *list);

static inline bool mst_transfer_is_over(const mst_transfer *transfer)
{
    return mst_load32_acq(&transfer->over) != 0; /* what was received is there */
}

/* The last that is done with it. */
static inline void mst_transfer_end(mst_transfer *transfer)
{
    mst_store32_rel(&transfer->over, 1);
}

/* Puts a transfer that has its first entry into a table, to be found by the peer's number of it. */
static inline void mst_transfer_enter(mst_match_table *table, mst_transfer *transfer)
{
    transfer->node.source = transfer->peer;
    transfer->node.tag = (int)(transfer->number & INT32_MAX);
    mst_table_insert(table, &transfer->node);
}

/* Finds it again; NULL: a peer's number is of no such transfer. */
static inline mst_transfer *mst_transfer_find(const mst_match_table *table, int peer, uint64_t number)
{
    mst_transfer *found = (mst_transfer *)mst_table_find(table, peer, (int)(number & INT32_MAX));

    return found && found->number == number ? found : NULL;
}

#endif
