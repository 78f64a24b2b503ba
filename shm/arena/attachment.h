/*
 * One rank's presence in an arena: its entry, its region, its knowledge of which ranks are alive, and how it
 * waits. Every group of the rank references the attachment; the rank detaches when the last one is freed.
 * Several threads of a process can be ranks, each with its own attachment on one shared mapping.
 */
#ifndef MST_ATTACHMENT_H
#define MST_ATTACHMENT_H

#include "shm/arena/arena.h"
#include "shm/arena/heap.h"
#include "shm/base/injection.h"
#include "shm/base/log.h"
#include "shm/death/deadlock.h"
#include "shm/death/death_word.h"
#include "shm/death/liveness.h"
#include "shm/wait/progress_thread.h"
#include "shm/wait/recorder.h"
#include "shm/wait/wait.h"

/* How the program can stop a wait for other ranks; `ask` NULL: it does not. */
typedef struct mst_interrupt {
    bool (*ask)(void *arg); /* true: stop waiting */
    void *arg;
} mst_interrupt;

/* What the rank's program asks for. It is complete before another thread or rank sees the attachment. */
typedef struct mst_attachment_config {
    mst_detection detection; /* the best detection method that may be used */
    mst_interrupt interrupt; /* while attaching */
    mst_deadline patience;   /* for the others; time spent waiting for the arena counts */
    bool one_thread;         /* only one thread of this rank calls muster, whatever others there are */
    bool exact_times;        /* records use the exact clock */
    uint32_t cache;          /* pretended; 0: where this rank is, if there are many ranks */
    bool progress_thread;    /* started operations go on while no thread of the rank is in a call */
    mst_injections injections;
    mst_log log;
} mst_attachment_config;

/* What ends an attach that waits: the program, or the deadline. */
typedef struct mst_attaching {
    mst_interrupt interrupt;
    mst_deadline patience;
} mst_attaching;

/* This rank's cells: one per group that it is in. */
typedef struct mst_own_cells {
    uint32_t generations[MST_CELLS_MAX]; /* never read from the arena */
    bool in_use[MST_CELLS_MAX];
    uint32_t committed;
} mst_own_cells;

/* The other ranks by seat: whose memory this rank uses, and whose has been released. */
typedef struct mst_others {
    uint32_t *together;         /* number of groups that we share with the seat's rank */
    bool *released;             /* memory of the dead rank that has been released */
    uint32_t terminations_seen; /* number of terminations when no memory was left to release */
} mst_others;

/* What all waits of the rank use, in whatever group, and what goes on besides them. */
typedef struct mst_rank_waits {
    mst_wait_policy policy;
    int cpus; /* of all ranks of the world together; 0: a replacement has not counted them */
    mst_place place;
    mst_background background;
    mst_progress_thread progress; /* if it is wanted */
} mst_rank_waits;

typedef struct mst_attachment {
    mst_arena *arena;
    mst_geometry geometry;
    uint32_t seat;                  /* our seat in the arena */
    uint32_t rank;                  /* our rank in the world */
    bool joined;                    /* the seat's entry is ours */
    const unsigned char *fork_mark; /* 1 in this process, 0 in a forked child */
    mst_os_remote remote;           /* this process, for peers that read its memory */
    mst_memory memory;
    mst_heap heap;
    mst_liveness liveness;
    mst_death_word death_word;
    mst_deadlock deadlock;
    mst_recorder recorder;
    mst_injections injections;
    mst_log log;
    mst_rank_waits waits;
    mst_attaching attaching;
    uint32_t pretended_cache; /* 0: none */
    _Atomic uint32_t users;   /* groups */
    _Atomic uint32_t sealed;  /* groups whose blocks this process may only read */
    _Atomic uint32_t *kept;   /* broken groups whose members may still write to what malloc served, when the
                                 program has freed it; NULL: malloc serves nothing. Outlives the attachment */
    void (*forget)(const struct mst_attachment *attachment); /* called at the end; may be NULL */

    pthread_mutex_t lock; /* protects the following members */
    mst_own_cells cells;
    mst_others others;
    bool left; /* all groups at once, because the program ends: nobody poisons them any more */
    struct mst_subarena *open;    /* the rank's groups */
    struct mst_subarena *retired; /* freed by us, but peers may still read them */
} mst_attachment;

/* Prepares to be `rank` in a seat of the arena, and takes ownership of the arena; NULL: no memory. One
 * reference. */
mst_attachment *mst_attachment_create(mst_arena *arena, uint32_t rank, uint32_t seat,
                                      const mst_attachment_config *config);
void mst_attachment_destroy(mst_attachment *attachment);

void mst_attachment_hold(mst_attachment *attachment);
/* Drops a reference; true: it was the last, the rank has left, and the caller destroys the attachment. */
bool mst_attachment_drop(mst_attachment *attachment);

typedef enum mst_awaited {
    MST_AWAITED,
    MST_AWAITED_TOO_LONG,    /* the deadline passed */
    MST_AWAITED_INTERRUPTED, /* by the program */
    MST_AWAITED_ORPHANED     /* the launcher is gone: nobody starts the missing ranks or reports on them */
} mst_awaited;

/* Waits, as part of attaching, until ready(arg); looks for dead ranks meanwhile. */
mst_awaited mst_attachment_await(mst_attachment *attachment, bool (*ready)(const void *arg), const void *arg);

/* Where peers ring for what the rank has started. */
static inline mst_parking mst_attachment_doorbell(const mst_attachment *attachment)
{
    return mst_eventcount_parking(&mst_layout_entry(&attachment->geometry, attachment->seat)->doorbell);
}

/* Starts the progress thread, unless it runs. */
muster_status mst_attachment_start_progress(mst_attachment *attachment);

/* What all waiters of the rank have in common. */
static inline mst_waiter mst_attachment_waiter(mst_attachment *attachment)
{
    return (mst_waiter){ .policy = attachment->waits.policy,
                         .place = &attachment->waits.place,
                         .background = &attachment->waits.background,
                         .interruption = mst_attachment_doorbell(attachment) };
}

/* Leaves every group of this rank, as an ordinary end of the program: for use at exit, when the program has
 * not freed its groups. Peers that wait for it see "left", not "died". */
void mst_attachment_leave(mst_attachment *attachment);

/* Whether the rank finds its own entry, or the outcome of attaching, overwritten. If so, tells those who may
 * still be attaching. */
bool mst_attachment_is_damaged(const mst_attachment *attachment);

/* Removes the arena's name, if it has one that is still ours. One rank does this, or another if that one dies
 * first. */
void mst_attachment_remove_name(mst_attachment *attachment);

/* Counts a group with the rank in that seat, or the end of one; the lock is held. */
void mst_attachment_meet(mst_attachment *attachment, uint32_t seat);
void mst_attachment_part(mst_attachment *attachment, uint32_t seat);
/* Releases memory of dead ranks that nobody reads any more; the lock is held. */
void mst_attachment_release_dead(mst_attachment *attachment);

/* Whether this is a forked child of the rank, which has no arena mapped. */
bool mst_attachment_forked(const mst_attachment *attachment);

#endif
