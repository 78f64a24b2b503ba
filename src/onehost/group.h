/*
 * A group on shared memory, as its rank holds it: who belongs to it, and what its calls work with.
 *
 * It begins with the API's part (src/backend.h). Of the rest, each member is one kind of call's: collectives
 * round on the sequence `collectives` and stage beside it, splits on `splits`, messages go by the channels.
 */
#ifndef MST_GROUP_H
#define MST_GROUP_H

#include "shm/group/barrier.h"
#include "shm/group/channel.h"
#include "shm/group/chunks.h"
#include "shm/group/staging.h"
#include "src/backend.h"
#include "src/kernels/reduce.h"
#include "src/pure/tuning.h"

struct mst_nonblocking;

#define MST_INTERRUPTED 1
#define MST_ORPHANED 2      /* the launcher is gone, which ends also what goes on in a broken group */
#define MST_UNRECORDED (-1) /* in place of when all had come */

/* Where the result of a reduce goes, and whether by non-temporal stores. */
typedef struct mst_target {
    unsigned char *at;
    bool stream;
} mst_target;

typedef struct mst_group {
    muster_group base;
    mst_subarena *subarena;
    const mst_kernels *kernels;
    mst_tuning tuning;
    uint32_t terminations_seen[MUSTER_CALL_CLASS_COUNT];
    int64_t arrived_ns[MUSTER_CALL_CLASS_COUNT]; /* when all had come to the call that is shown; 0: not yet */
    mst_record_places places[MUSTER_CALL_CLASS_COUNT];
    uint64_t recorded; /* what every record of it has: whose it is, packed */
    mst_sequence collectives;
    mst_sequence splits;
    mst_staging staging;                           /* of the sequence `collectives` */
    mst_store_policy staging_stores, arena_stores; /* of what collectives copy there, or reduce */
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
    struct mst_nonblocking
        *nonblocking;             /* nonblocking operations, by place (coll/nonblocking.c); NULL: never any */
    uint64_t start_number;        /* of the latest */
    _Atomic uint32_t told_broken; /* 1: so in the log */
    bool finishing;               /* what is shown of collectives is the second half of one */
    _Atomic uint64_t interrupted; /* MST_INTERRUPTED: it has said so; or MST_ORPHANED */
    _Atomic uint64_t looked_ns;   /* into a long wait, when it was looked for what costs more */
    _Atomic uint32_t reason_taken; /* our cell's sentence has an author */
} mst_group;

/* Ours, of a group that the API hands to this backend. */
static inline mst_group *mst_group_of(muster_group *group)
{
    return (mst_group *)group;
}

static inline const mst_group *mst_group_of_const(const muster_group *group)
{
    return (const mst_group *)group;
}

/* Gives its memory back, however little of it there is. */
void mst_group_destroy(mst_group *group);

void mst_group_close(muster_group *group);

/* Begins its store policies by its tuning, before it is used. */
void mst_group_plan_stores(mst_group *group);

/* The arena offset of a buffer that lies in this rank's heap; 0: it does not. */
uint64_t mst_group_heap_offset(const mst_group *group, const void *buffer, size_t bytes);

int mst_group_translate(const muster_group *group, int rank, const muster_group *other);

/* An operation begins, or has given this rank a result: when what a user has asked to go wrong does. */
static inline void mst_group_begin(mst_group *group)
{
    mst_injection_begin(&group->subarena->attachment->injections, group->base.log);
}

static inline void mst_group_end(mst_group *group, void *result, size_t bytes)
{
    mst_injection_end(&group->subarena->attachment->injections, group->base.log, result, bytes);
}

#endif
