/*
 * What the ranks of the backend of threads share: a world with its lock, and groups, each of them
 * as all of its members see it. Whoever touches what is in here has the lock.
 */
#ifndef TEST_SHARED_H
#define TEST_SHARED_H

#include <pthread.h>

#include "src/backend.h"
#include "src/pure/matching.h"

enum {
    RANKS_MAX = 1024,
    REASON_BYTES = 252,
    MAILBOX_WEIGHT_MAX = 128 << 10 /* a message weighs its bytes and 1: 64 KiB fit, however cut up */
};

/* Those that one thread may be in while another is in the other; splits and subsets only in turn. */
typedef enum rendezvous_kind { COLLECTIVES, SPLITS, SUBSETS, RENDEZVOUS_KINDS } rendezvous_kind;

/* What a rendezvous of splits is for. */
typedef enum makes { MAKES_GROUP, MAKES_SHARE, MAKES_SEAL, MAKES_COPY, MAKES_QUEUE } makes;

/* What a rank brings to a rendezvous, and what it gets there. */
typedef struct posting {
    bool here;
    mst_request request;
    mst_made_op made; /* a copy of what the request refers to */
    void *in;         /* a copy, so that what was given is the caller's again */
    int64_t limit_ns; /* of its wait */
    int color, key;   /* of a split; of a subset: 0 for its members, and their places */
    makes makes;
    size_t bytes;   /* of a share, or of an entry of a queue */
    size_t entries; /* of a queue */
    int writer;
    struct shared_group *child;
    int child_rank;
} posting;

/* A collective or a split under way: it can be done when all have come, and goes when all have got what they
 * came for. */
typedef struct rendezvous {
    struct rendezvous *next;
    uint64_t number;
    int expected, come, done;
    posting postings[];
} rendezvous;

/* A message that nobody has received yet. What the mailbox has no room for is lent: it stays the sender's,
 * who waits. */
typedef struct envelope {
    mst_match_node node; /* first */
    muster_dtype dtype;
    size_t count, bytes;
    const void *data;
    bool lent, taken;
} envelope;

/* A receive that no message has come for yet. */
typedef struct receipt {
    mst_match_node node; /* first */
    mst_message message;
    bool matched; /* taken out */
    bool over;
} receipt;

/* What one member has not received. */
typedef struct mailbox {
    mst_matching matching;
    size_t *weights; /* by sender: of what is not lent */
} mailbox;

/* One member's part of a share. */
typedef struct block {
    void *memory; /* NULL: none */
    size_t bytes;
    uint64_t (*raised)[MUSTER_SIGNALS]; /* at this member, by raiser */
} block;

/* What has been pushed into a queue, each entry at its number, modulo the size; all numbers are from 1. */
typedef struct entries {
    size_t size;
    uint64_t pushed;
    uint64_t *released; /* by rank: the last one that it is done with */
    struct {
        void *data;
        size_t bytes;
    } places[];
} entries;

/* All groups of a job. */
typedef struct world {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything that somebody may wait for */
    int handles;            /* groups that are open, all ranks together */
    bool *ended;            /* by rank of the world: it has left all groups */
    char name[64];          /* under which its ranks meet until all have come */
    struct shared_group *whole;
    struct world *next;
} world;

typedef struct shared_group {
    world *world;
    int size;
    int handles;
    int *seats; /* by member: its rank in the world */
    bool *left; /* by member: it has freed the group */
    int *waits; /* by member: threads of it that wait */
    rendezvous *open[RENDEZVOUS_KINDS];
    mailbox *mailboxes; /* by member */
    block *blocks;      /* of the group of a share: by member; else NULL */
    _Atomic uint64_t syncs;
    struct entries *entries; /* of the group of a queue; else NULL */
    muster_status broken;
    int about;        /* whom the reason is about; -1: nobody */
    int64_t limit_ns; /* that passed; 0: none */
    char reason[REASON_BYTES];
} shared_group;

/* NULL: no memory. */
world *world_create(const char *name, int size);
void world_destroy(world *world);
shared_group *shared_create(world *world, int size);
void shared_destroy(shared_group *shared);

/* Makes it the group of a share with those bytes of each posting; false: no memory. */
bool shared_add_blocks(shared_group *shared, const posting *postings);

/* A new rendezvous of all, or of so many; NULL: no memory. */
rendezvous *shared_open(shared_group *shared, rendezvous_kind kind, uint64_t number, int expected);

/* Makes it the group of a queue; false: no memory. */
bool shared_add_entries(shared_group *shared, size_t entries, size_t bytes);

/* The rendezvous of that number, made by the first who comes; NULL: no memory. */
rendezvous *shared_rendezvous(shared_group *shared, rendezvous_kind kind, uint64_t number);

/* A member has got what it came for; the last one ends it. */
void shared_part(shared_group *shared, rendezvous_kind kind, rendezvous *rendezvous);

bool mailbox_has_room(const mailbox *mailbox, int sender, size_t bytes);

/* Counts a message, or no longer. */
void mailbox_weigh(mailbox *mailbox, const envelope *envelope, bool in);

/* Takes a message out that was found. */
envelope *mailbox_take(mailbox *mailbox, mst_match_node *found);

#endif
