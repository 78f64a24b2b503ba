/*
 * A group as its ranks hold it: who belongs to it, how they wait for each other, and which transport
 * carries its collectives.
 *
 * Every public call on a group enters one of its lanes, works, and leaves it. Entering refuses a
 * second thread (BUSY), a forked child (FORKED) and a broken group. When a wait fails, the reason is
 * turned into poison for all members, and the poison into a sentence.
 */
#ifndef MST_GROUP_H
#define MST_GROUP_H

#include "shm/group/barrier.h"
#include "shm/group/channel.h"
#include "shm/group/pieces.h"
#include "shm/group/staging.h"
#include "src/kernels/reduce.h"
#include "src/pure/tuning.h"

struct mst_transport;
struct mst_started;

/* What may run beside what: one thread in each. sendrecv enters both of its lanes. */
typedef enum mst_entrance {
    MST_ENTER_COLLECTIVE,
    MST_ENTER_SPLIT,
    MST_ENTER_SEND,
    MST_ENTER_RECEIVE
} mst_entrance;

#define MST_ENTRANCES 4
#define MST_INTERRUPTED 1
#define MST_ORPHANED 2      /* the launcher is gone, which ends also what goes on in a broken group */
#define MST_UNRECORDED (-1) /* in place of when all had come */

/* Where the result of a fold goes, and whether around the cache. */
typedef struct mst_target {
    unsigned char *at;
    bool stream;
} mst_target;

struct muster_group {
    mst_subarena *subarena;
    const struct mst_transport *transport; /* the only way to the group's collectives */
    const mst_kernels *kernels;
    mst_tuning tuning;
    int rank;
    int size;
    int64_t timeout_ns;
    _Atomic uint32_t occupied[MST_ENTRANCES];
    uint32_t endings_seen[MST_ENTRANCES];
    int64_t arrived_ns[MST_ENTRANCES]; /* when all had come to the call that is shown; 0: not yet */
    mst_record_places places[MST_ENTRANCES];
    uint64_t recorded; /* what every record of it has: whose it is, packed */
    mst_lane steps;
    mst_lane splits;
    mst_staging staging;                  /* of the lane `steps` */
    mst_route staging_route, arena_route; /* of what collectives copy there, or fold */
    mst_channels channels;
    mst_waiter send_waiter, receive_waiter;
    uint64_t operation;       /* collectives entered */
    uint64_t split;           /* splits entered */
    uint64_t messages[2];     /* sends, receives */
    uint64_t regroups;        /* shrinks and grows entered */
    bool whole;               /* the world, or what shrink and grow have made of it */
    mst_call_record *records; /* of the operation under way, by rank: private copies */
    const void **sources;     /* by rank, for kernels */
    mst_target *targets;      /* one more than there are ranks */
    mst_split_record *split_records;
    struct mst_started *started;   /* operations in two halves, by place (coll/started.c); NULL: never any */
    int started_count;             /* of them, not finished yet */
    uint64_t start_number;         /* of the latest */
    _Atomic uint32_t told_broken;  /* 1: so in the log */
    bool finishing;                /* what is shown of collectives is the second half of one */
    muster_interrupt_fn interrupt; /* NULL: none */
    void *interrupt_arg;
    _Atomic uint64_t interrupted;          /* MST_INTERRUPTED: it has said so; or MST_ORPHANED */
    _Atomic uint64_t looked_ns;            /* into a long wait, when it was looked for what costs more */
    _Atomic uint32_t reason_taken;         /* our cell's sentence has an author */
    bool (*released)(muster_group *group); /* muster_init's: false while others still use the world */
};

/* Makes a group on a sub-arena, and takes that over (also on failure). */
muster_status mst_group_create(mst_subarena *subarena, const struct mst_transport *transport,
                               const mst_kernels *kernels, int64_t timeout_ns, muster_group **group);

/* Begins its routes by its tuning, before it is used. */
void mst_group_plan_routes(muster_group *group);

/* The arena offset of a buffer that lies in this rank's heap; 0: it does not. */
uint64_t mst_group_heap_offset(const muster_group *group, const void *buffer, size_t bytes);

/* Takes an entrance, also of a broken group: INVALID for NULL, FORKED or BUSY. */
muster_status mst_group_occupy(muster_group *group, mst_entrance entrance);

/* Enters, or says why not: INVALID for NULL, FORKED, BUSY, or what the group is broken by. */
muster_status mst_group_enter(muster_group *group, mst_entrance entrance);
void mst_group_leave(muster_group *group, mst_entrance entrance);

/* Where the group's rank tells what goes on. */
static inline const mst_log *mst_group_log(const muster_group *group)
{
    return &group->subarena->attachment->log;
}

/* An operation begins, or has given this rank a result: when what a user has asked to go wrong does. */
static inline void mst_group_begin(muster_group *group)
{
    mst_mishap_begin(&group->subarena->attachment->mishaps, mst_group_log(group));
}

static inline void mst_group_end(muster_group *group, void *result, size_t bytes)
{
    mst_mishap_end(&group->subarena->attachment->mishaps, mst_group_log(group), result, bytes);
}

/* Shows those who look from outside what the rank is doing, until it leaves the entrance. `latest`: the
 * number of the latest operation that it has entered by there. */
void mst_group_show(muster_group *group, mst_entrance entrance, uint64_t latest, const mst_doing *doing);

/* All others have come to the call that is shown, after the slow waits that the waiter has counted. */
void mst_group_arrived(muster_group *group, mst_entrance entrance, const mst_waiter *waiter);

/* The call that is shown is not an operation's end: it goes unrecorded. */
void mst_group_unrecorded(muster_group *group, mst_entrance entrance);

/* Records an operation that was too short to be shown. */
void mst_group_record(muster_group *group, mst_entrance entrance, const mst_doing *doing);

/* The status that the group is broken by, with its sentence; MUSTER_OK when it is not. */
muster_status mst_group_broken(const muster_group *group);

/* What a wait that did not succeed means: the poison, or, past the deadline, poisons the group.
 * `doing` names the operation, `missing` says who has not come. */
muster_status mst_group_wait_failed(muster_group *group, mst_wait_result result, const char *doing,
                                    const char *missing);

/* What a wait means that `interrupted` has ended. */
muster_status mst_group_interrupted(const muster_group *group, const char *doing);

/* Breaks the group, with a sentence that all members will see, and returns what it is now broken by:
 * another rank may have been first. */
muster_status mst_group_poison(muster_group *group, mst_poison_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same without a sentence: what has happened to `rank` says enough. */
void mst_group_spread(muster_group *group, mst_poison_kind kind, int rank, int code);

/* A wait that has become long (stall.c): for whom, since when, and as part of what. */
typedef struct mst_stall {
    int peers[2]; /* all of whom must act; -1: nobody in particular */
    int64_t slept_ns;
    void (*describe)(const void *arg, char *text, size_t bytes); /* of the call; NULL: none to speak of */
    const void *arg;
    /* The wait is for a regroup: also in a broken group, and a circle ends the waits of the others in it,
     * which are in calls that can end so. */
    bool regroups;
} mst_stall;

/* The parts of a watch. Looks for members that are dead and for circles of ranks that wait for each other,
 * and poisons; true: a peer has left. It is lost, if it has: poisons. And the end. */
bool mst_group_stalled(muster_group *group, const mst_stall *stall);
void mst_group_lost(muster_group *group, int peer);
void mst_group_woke(muster_group *group);
/* Deaths wake us, nobody counts our looks for circles, and nobody wants to be asked. */
bool mst_group_may_rest(const muster_group *group);

/* The watch of a wait that is not a call's. */
mst_watch mst_group_watch(muster_group *group);

#endif
