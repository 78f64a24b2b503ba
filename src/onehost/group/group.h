/*
 * A group on shared memory, as its rank holds it: its members, and the state of its calls.
 *
 * It begins with the backend-independent part (src/backend.h). Each other member belongs to one kind of call:
 * collectives use the sequence `collectives` and staging, splits the sequence `splits`, subsets the pairs,
 * messages the channels.
 */
#ifndef MST_GROUP_H
#define MST_GROUP_H

#include "shm/group/barrier.h"
#include "shm/group/channel.h"
#include "shm/group/chunks.h"
#include "shm/group/pairs.h"
#include "shm/group/staging.h"
#include "shm/wait/lock.h"
#include "src/backend.h"
#include "src/kernels/reduce.h"
#include "src/onehost/group/team.h"
#include "src/onehost/group/transfer.h"
#include "src/pure/tuning.h"

typedef struct mst_pending mst_pending;
struct mst_call;
struct mst_group;
struct mst_started_calls;
struct mst_varied;

/* Pending operations by number (pending.h). The lock is for all that started operations change. */
typedef struct mst_pending_table {
    mst_lock lock;
    struct mst_pending_place *places;
    uint32_t count;
    uint32_t first_free;                                                /* 1 + the place; 0: none */
    bool (*progress[MUSTER_CALL_CLASS_COUNT])(struct mst_group *group); /* of the classes that have any */
} mst_pending_table;

/* What ends a wait that does not look at poison: a wait of a regroup, or one that ends alone (alone.h). */
typedef enum mst_interruption {
    MST_INTERRUPTED = 1, /* the program interrupts it */
    MST_ORPHANED,        /* the launcher is gone; also ends waits in a broken group */
    MST_ABANDONED,       /* the awaited member is gone */
    MST_IN_CYCLE,        /* it is part of a wait cycle */
    MST_DAMAGED          /* the arena is damaged */
} mst_interruption;

#define MST_LOOK_AGAIN UINT32_MAX /* differs from every count of terminations */
#define MST_UNRECORDED (-1)       /* a value of arrived_ns: do not record the call */

/* How a collective exchanges its data (coll/run.c): the same for the same request, unless a buffer may be in
 * the arena. */
typedef struct mst_plan {
    uint64_t request;      /* the request in one word (coll/round.c) */
    size_t in_bytes;       /* of this rank's `in` */
    size_t out_bytes;      /* of this rank's `out` */
    mst_staging_part part; /* the part of staging that it uses, unless in_line */
    bool in_line;          /* what a rank stages fits into the payload beside its arrival's flag */
    bool small;            /* in_line, or in a small slot */
    bool viewable;        /* large enough for buffers to be read without a copy: then the records say where */
    bool shared;          /* the work after its rounds is shared (shm/group/chunks.h) */
    bool one_copy;        /* private inputs are read where they are (coll/one_copy.h), if all ranks can */
    bool assembled;       /* a reduction whose elements rounds would cut (coll/assembled.h) */
    mst_reduce_fn reduce; /* of a reduction; NULL: the program made the operation */
    bool made;            /* false: not chosen yet */
} mst_plan;

typedef struct mst_group {
    muster_group base;
    mst_subarena *subarena;
    mst_cell *cell; /* this rank's */
    mst_activity
        *activities; /* by class: the cell's, or, where another backend shows its own there, `unseen` */
    const mst_kernels *kernels;
    mst_tuning tuning;
    _Atomic uint32_t terminations_seen[MUSTER_CALL_CLASS_COUNT]; /* MST_LOOK_AGAIN: also for progress */
    /* When all had arrived at the call with an activity; 0: not yet. */
    int64_t arrived_ns[MUSTER_CALL_CLASS_COUNT];
    mst_record_places places[MUSTER_CALL_CLASS_COUNT];
    uint64_t recorded; /* packed: what all records of this group have in common; 0: it has none */
    uint64_t repeats;  /* the activity of collectives is that of `call`, as records pack it; 0: another */
    mst_sequence collectives;
    mst_sequence splits;
    struct mst_call *call;                         /* the latest blocking collective (coll/call.h) */
    mst_plan plan;                                 /* of the latest one with counts by rank */
    mst_team *team;                                /* this rank's threads; NULL: it never had several */
    mst_hierarchy *hierarchy;                      /* by which collectives meet; NULL: in one level */
    mst_pairs pairs;                               /* for subsets */
    mst_staging staging;                           /* for the sequence `collectives` */
    mst_store_policy staging_stores, arena_stores; /* for collectives' copies and reductions there */
    mst_channels channels;
    mst_traffic traffic;        /* messages */
    struct mst_remote *remotes; /* by rank (remote.h); NULL: nobody's private memory is read */
    bool reads_all;             /* this rank can read the memory of all others */
    bool one_copy; /* collectives may read it: no rank has been refused so far; equal on all ranks */
    struct started_message *spare_messages; /* of started ones that are over */
    mst_waiter send_waiter, receive_waiter;
    uint64_t operation;       /* collectives entered so far */
    uint64_t split;           /* splits and dups entered so far */
    uint64_t subset;          /* subsets entered so far */
    uint64_t messages[2];     /* sends and receives entered so far */
    uint64_t regroups;        /* shrinks and grows entered so far */
    uint64_t old_lists[2];    /* our proposals for the last two, that all will have read; 0: none such */
    bool whole;               /* the world, or a group that shrink or grow made of it */
    mst_call_record *records; /* of the current operation, by rank: private copies */
    const void **sources;     /* by rank, arguments of kernels */
    mst_target *targets;      /* size + 1 of them */
    mst_split_record *split_records;
    mst_pending_table pending;
    mst_task task;                     /* their progress in waits for something else */
    _Atomic uint32_t wants_progress;   /* 0: there is nothing to do for them */
    _Atomic uint32_t starts;           /* of operations, to look at every so many */
    struct mst_started_calls *started; /* of collectives (coll/started.c); NULL: none so far */
    _Atomic uint64_t tested_ns;        /* when a test last looked around */
    struct mst_varied *varied;         /* of the current collective with counts by rank; NULL: none so far */
    _Atomic uint32_t told_broken;      /* 1: logged that it is broken */
    bool finishing;                    /* the activity of collectives is the wait for a started one */
    _Atomic uint64_t interrupted;      /* an mst_interruption; 0: none */
    _Atomic uint32_t reason_taken;     /* 1: a thread writes, or has written, our cell's reason */
    mst_activity unseen[MST_ACTIVITIES];
} mst_group;

/* The backend's group of an API group. */
static inline mst_group *mst_group_of(muster_group *group)
{
    return (mst_group *)group;
}

static inline const mst_group *mst_group_of_const(const muster_group *group)
{
    return (const mst_group *)group;
}

/* Initialises the store policies from the tuning, before the group is used. */
void mst_group_plan_stores(mst_group *group);

/* The arena offset of a buffer in this rank's heap; 0: it is elsewhere. */
uint64_t mst_group_heap_offset(const mst_group *group, const void *buffer, size_t bytes);

/* Copies into an arena buffer, which a peer may have read, or may read next: as for staging, with
 * non-temporal stores if these are faster. */
void mst_group_copy_within_arena(const mst_group *group, mst_channel_end *end, void *to, const void *from,
                                 size_t bytes);

/* Of a view between two arena buffers the receiver reads this much, and the sender writes the rest. */
static inline size_t mst_group_readers_part(size_t total)
{
    return total / 2 / MST_ENTRY_UNIT * MST_ENTRY_UNIT;
}

/* From now on several threads may be in calls of messages, as the program has stated (threads_multiple). */
void mst_group_serve_threads(mst_group *group);

/* A copy of the waiter of a call of messages, for a thread that may not be the only one in such calls. */
void mst_group_borrow_waiter(const mst_group *group, muster_call_class class, mst_waiter *waiter);

int mst_group_translate(const muster_group *group, int rank, const muster_group *other);

/* The next call of every class will make progress of pending operations (mst_group_ready). A call that resets
 * its count at this moment misses that, and makes progress when it waits. */
static inline void mst_group_want_progress(mst_group *group)
{
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        mst_store32_rlx(&group->terminations_seen[class], MST_LOOK_AGAIN);
}

/* To be called when an operation begins, and when it has produced a result: injected faults happen there. */
static inline void mst_group_begin(mst_group *group)
{
    mst_injection_begin(&group->subarena->attachment->injections, group->base.log);
}

/* Whether any are to happen at this rank. */
static inline bool mst_group_injects(const mst_group *group)
{
    return group->subarena->attachment->injections.count > 0;
}

static inline void mst_group_end(mst_group *group, void *result, size_t bytes)
{
    mst_injection_end(&group->subarena->attachment->injections, group->base.log, result, bytes);
}

#endif
