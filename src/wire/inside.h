/* What the files of src/wire share: a process's part of the job, its groups, and what is under way. */
#ifndef MST_WIRE_INSIDE_H
#define MST_WIRE_INSIDE_H

#include <pthread.h>

#include "src/pure/matching.h"
#include "src/wire/backend.h"
#include "src/wire/frames.h"

/* A member has so much credit at each other one. A message spends its bytes and a head of it; the receiver
 * returns them once it has the message. */
#define MST_WIRE_CREDIT_MAX (128U << 10)
#define MST_WIRE_EAGER_BYTES (64U << 10)
#define MST_WIRE_OWED_MAX (16U << 10) /* credit that a receiver does not return yet */
#define MST_WIRE_PART_BYTES (256U << 10)
#define MST_WIRE_PARTS 4          /* on their way to one process, of messages that were waited for */
#define MST_WIRE_SENDS_UNMOVED 64 /* messages; then their sender looks for frames */
#define MST_WIRE_OFFERS_MAX 1024  /* not accepted; more if the receiver asks for them */
#define MST_WIRE_REASON_BYTES 356 /* that of a link, its numbers, and what the wire says of it */
#define MST_WIRE_TAG_SUBSETS 1000 /* of what makes groups; those of a link's transfers are below it */

typedef enum mst_wire_kind {
    MST_WIRE_MESSAGE = 1, /* with its bytes */
    MST_WIRE_OFFER,       /* a message that is not sent before its receive is there */
    MST_WIRE_ACCEPT,      /* that it is there */
    MST_WIRE_PART,        /* of such a message */
    MST_WIRE_CREDIT,      /* `bytes` of credit come back */
    MST_WIRE_WANTED,      /* what waits at the sender may be here: MST_WIRE_OFFERS_MAX offers more may come */
    MST_WIRE_BROKEN,      /* the group is; a mst_wire_reason follows */
    MST_WIRE_GONE,        /* the member has closed the group */
    MST_WIRE_LEFT,        /* the process needs nothing any more */
    MST_WIRE_GIVES_UP,    /* it does not end together with the others */
    MST_WIRE_READY,       /* to process 0: it does, if that tells it to, unless one dies */
    MST_WIRE_ENDS         /* from process 0: all end together */
} mst_wire_kind;

/* The beginning of each frame. All of it comes from another process, and is checked. */
typedef struct mst_wire_head {
    uint32_t kind;
    int32_t source; /* the sender, in the group */
    uint64_t group;
    int32_t tag;
    int32_t dtype;
    uint64_t bytes;  /* of an accept: the receiver's id */
    uint64_t id;     /* the sender's of an offer; of a part: the receiver's of its receive */
    uint64_t parent; /* of the group; 0: it has none */
} mst_wire_head;

typedef struct mst_wire_reason {
    int32_t status;
    int32_t about; /* a rank of the group; -1: nobody */
    int32_t kind, code;
    int64_t limit_ns;
    int32_t pair; /* 1 + the rank with which that one disagrees; 0: none */
    char text[MST_WIRE_REASON_BYTES];
} mst_wire_reason;

/* A frame that is being sent, or is to be. */
typedef struct mst_wire_sent {
    struct mst_wire_sent *next;
    int to, slot;
    size_t bytes; /* behind the head */
    mst_wire_head head;
} mst_wire_sent;

typedef struct mst_wire_queue {
    mst_wire_sent *first, *last;
} mst_wire_queue;

/* A frame for a group that this process does not have yet. */
typedef struct mst_wire_early {
    struct mst_wire_early *next;
    int from;
    size_t count;
    mst_wire_head head;
} mst_wire_early;

/* A message that no receive has matched. */
typedef struct mst_wire_arrival {
    mst_match_node node; /* first */
    int32_t dtype;
    size_t bytes;
    bool offered; /* its bytes are not here */
    uint64_t id;
    unsigned char data[];
} mst_wire_arrival;

/* One direction of a message that is not over at once. */
typedef struct mst_wire_op {
    mst_match_node node;               /* first: of a receive that no message has matched */
    mst_match_node by_id;              /* in the table of the wire, while it is offered or accepted */
    mst_match_node by_name;            /* in that of the group, if it was started */
    struct mst_wire_op *next, *before; /* in that list, */
    struct mst_wire_ops *list; /* of sends that wait their turn, or whose parts are to be sent; NULL: none */
    struct mst_wire_group *group;
    mst_message message;
    bool sends;
    bool posted, named, over;
    bool pending; /* it was started, is not over, and counts in the wire */
    uint64_t number;
    const void *taken; /* by a wait or a test */
    uint64_t tested;   /* the wire's moves then */
    int64_t limit_ns;
    int peer; /* or MUSTER_ANY_SOURCE, until a message has matched */
    int tag;
    int32_t dtype;      /* of what has come */
    size_t bytes, done; /* of the message */
    uint64_t id, their_id;
} mst_wire_op;

typedef struct mst_wire_ops {
    mst_wire_op *first, *last;
} mst_wire_ops;

/* Messages that are offered, between this process and a member. */
typedef struct mst_wire_offers {
    mst_wire_ops waiting;      /* sends that are neither sent nor offered yet, in order */
    uint32_t may_go, may_come; /* how many more may be offered, each way */
    int wanted;                /* receives of this member that no message has matched */
} mst_wire_offers;

typedef struct mst_wire_group {
    muster_group base;
    mst_wire *wire;
    struct mst_wire_group *next; /* in the wire's list */
    int *seats;                  /* by rank: the process */
    bool *gone;                  /* by rank: it has closed the group */
    int gone_count;
    bool closed;     /* by this process: it is there until all have, for frames that are under way */
    uint64_t parent; /* number of the group that it, or what it is a copy of, was made from; 0: none */
    bool makes;      /* a group, just now */
    bool copied;     /* its copy's number is in use */
    mst_matching matching;
    mst_match_table names; /* of operations that were started */
    uint64_t starts, subsets;
    int waits;     /* blocking calls that wait, and operations that waits wait for; tests look at it */
    size_t *spent; /* by rank: credit there, which has not come back */
    size_t *owed;  /* by rank: credit that it is to get back */
    size_t *kept;  /* by rank: the same, and what has come from it and was not received */
    mst_wire_offers *offers; /* by rank */
    int wanted_of_any;       /* receives of any source that no message has matched */
    mst_wire_reason broken;
} mst_wire_group;

struct mst_wire {
    pthread_mutex_t lock; /* of all of this, and of its groups */
    mst_frames *frames;
    mst_wire_group *groups;
    mst_wire_early *early, *early_last;
    mst_wire_queue unsent; /* which wait for a thread that may send */
    mst_wire_queue *sent;  /* by process: being sent, in order */
    int *sent_to;          /* the processes to which something is being sent */
    int sent_to_count;
    mst_wire_ops moving; /* whose parts are to be sent */
    mst_match_table by_id;
    uint64_t ids;
    uint64_t moves; /* how often it has been looked what has come */
    int unmoved;    /* messages that were sent since then */
    int pending;    /* operations that were started and are not over */
    int resting;    /* threads that look for frames again soon */
    uint64_t made;  /* groups that this process has numbered */
    int *parts;     /* by process: on their way there */
    bool *lost;     /* by process: nothing can be sent there any more */
    bool *left;     /* by process */
    bool *dead;     /* likewise: somebody has told that it has died */
    bool *ready;    /* likewise; of process 0 */
    int left_count, ready_count;
    bool has_left, has_given_up, is_given_up, knows_death;
    bool is_ready, all_end;
    bool stopped;                   /* what moves frames is not called any more */
    pthread_t leaver;               /* if it has left: the one thread that moves frames */
    char why[MST_FRAMES_WHY_BYTES]; /* it has failed: nothing is taken any more, and only last words are sent;
                                       "": it has not */
};

static inline mst_wire_group *mst_wire_of(muster_group *group)
{
    return (mst_wire_group *)group;
}

static inline const mst_wire_group *mst_wire_of_const(const muster_group *group)
{
    return (const mst_wire_group *)group;
}

static inline void mst_wire_no_longer_pending(mst_wire_op *op)
{
    op->group->wire->pending -= op->pending;
    op->pending = false;
}

static inline void mst_wire_end(mst_wire_op *op)
{
    mst_wire_no_longer_pending(op);
    op->over = true;
}

/* Numbers of groups: one more than that of the group is its copy's, so others are even. No group in an arena
 * has one that is so large. The first member counts, in the bits below those of its process. */
#define MST_WIRE_NUMBER_OF_WHOLE (1ULL << 62)
#define MST_WIRE_COUNT_BITS 40

static inline uint64_t mst_wire_original(uint64_t number)
{
    return number & ~1ULL;
}

static inline mst_wire_group *mst_wire_group_find(const mst_wire *wire, uint64_t number)
{
    mst_wire_group *at = wire->groups;

    while (at && at->base.number != number)
        at = at->next;
    return at;
}

/* In words; NULL: it is not known. */
static inline const char *mst_wire_host_of(const mst_wire_group *group, int rank)
{
    const char *const *where = group->wire->frames->where;

    return where && rank >= 0 && rank < group->base.size ? where[group->seats[rank]] : NULL;
}

static inline size_t mst_wire_credit_of(size_t bytes)
{
    return bytes + sizeof(mst_wire_head);
}

static inline int mst_wire_low(uint64_t number)
{
    return (int)(number & 0x7fffffff);
}

static inline int mst_wire_high(uint64_t number)
{
    return (int)(number >> 31 & 0x7fffffff);
}

#endif
