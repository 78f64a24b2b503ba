/*
 * One rank's presence in an arena: its place among the rank entries, its region, its knowledge of
 * who is alive, and how it waits. Every group of the rank holds the attachment; the last one to go
 * detaches. Several threads of a process can be ranks, each with an attachment of its own on one
 * shared mapping.
 */
#ifndef MST_ATTACHMENT_H
#define MST_ATTACHMENT_H

#include "shm/arena/arena.h"
#include "shm/arena/heap.h"
#include "shm/base/injection.h"
#include "shm/death/deadlock.h"
#include "shm/death/death_word.h"
#include "shm/death/liveness.h"
#include "shm/wait/recorder.h"
#include "shm/wait/wait.h"
#include "src/pure/log.h"

/* What the program asks, while it waits for others, of whether to go on; `ask` NULL: always. */
typedef struct mst_interrupt {
    bool (*ask)(void *arg); /* true: no longer */
    void *arg;
} mst_interrupt;

typedef struct mst_attachment {
    mst_arena *arena;
    mst_geometry geometry;
    uint32_t seat;                  /* ours, in the arena */
    uint32_t rank;                  /* ours, of the world */
    bool joined;                    /* the rank's entry is ours */
    const unsigned char *fork_mark; /* 1 here, 0 in a forked child */
    mst_memory memory;
    mst_heap heap;
    mst_liveness liveness;
    mst_death_word death_word;
    mst_deadlock deadlock;
    mst_recorder recorder;
    mst_injections injections;
    mst_log log;
    mst_wait_policy policy;
    mst_interrupt interrupt;                                 /* of attaching */
    mst_deadline patience;                                   /* likewise */
    _Atomic uint32_t users;                                  /* groups */
    void (*forget)(const struct mst_attachment *attachment); /* called at the end; NULL: nobody to tell */

    pthread_mutex_t lock;                /* of what follows */
    uint32_t generations[MST_CELLS_MAX]; /* of our cells; never read from the arena */
    bool in_use[MST_CELLS_MAX];
    uint32_t cells_committed;
    uint32_t *together;           /* by seat: in how many groups we are with the one there */
    bool *released;               /* by seat: memory of the dead that has gone back */
    uint32_t terminations_seen;   /* their count, when no memory of the dead was left to be released */
    bool left;                    /* all groups at once, as the program ends: nobody poisons them any more */
    struct mst_subarena *open;    /* the rank's groups */
    struct mst_subarena *retired; /* given back, but peers may still read them */
} mst_attachment;

/* Prepares to be `rank`, in a seat of the arena, and takes the arena over; NULL: no memory. Held once. */
mst_attachment *mst_attachment_create(mst_arena *arena, uint32_t rank, uint32_t seat,
                                      mst_detection detection);
void mst_attachment_destroy(mst_attachment *attachment);

void mst_attachment_hold(mst_attachment *attachment);
/* Whether that was the last: the rank has then left, and the caller destroys the attachment. */
bool mst_attachment_drop(mst_attachment *attachment);

typedef enum mst_awaited {
    MST_AWAITED,
    MST_AWAITED_TOO_LONG,    /* its patience is at an end */
    MST_AWAITED_INTERRUPTED, /* by the program */
    MST_AWAITED_ORPHANED     /* the launcher is gone: nobody starts, or tells of, who is missing */
} mst_awaited;

/* Waits, as part of attaching, until ready(arg); looks for the dead meanwhile. */
mst_awaited mst_attachment_await(mst_attachment *attachment, bool (*ready)(const void *arg), const void *arg);

/* Says that this rank is done with every group, as an ordinary end of the program; for use at exit,
 * when nobody gave the groups back. Peers that need it see "left", not "died". */
void mst_attachment_leave(mst_attachment *attachment);

/* Whether a rank that has joined finds what it has said of itself, or of all having come, changed. Tells
 * those who may still wait for it, then. */
bool mst_attachment_is_damaged(const mst_attachment *attachment);

/* Removes the arena's name, if it has one that is ours to remove: one rank does, or, should that one die
 * before it has, another. */
void mst_attachment_remove_name(mst_attachment *attachment);

/* Notes that we get into a group with the one in that seat, or out of one; with the lock held. */
void mst_attachment_meet(mst_attachment *attachment, uint32_t seat);
void mst_attachment_part(mst_attachment *attachment, uint32_t seat);
/* Gives memory of the dead back that nobody reads any more; with the lock held. */
void mst_attachment_release_dead(mst_attachment *attachment);

/* Whether this is a forked child of the rank, which has no arena mapped. */
bool mst_attachment_forked(const mst_attachment *attachment);

#endif
