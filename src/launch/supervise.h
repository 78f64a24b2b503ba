/*
 * Watching ranks until all have ended: tells the arena how each ended (before it is reaped, so that a
 * peer that asks the system always finds an answer in one place or the other), passes signals on, and
 * stops the rest when one fails or the time is up: TERM first, KILL after a grace. Ranks that fail are
 * started again where that is wanted (respawn.h).
 *
 * It goes in turns: signals, deaths and deadlines first, then a bounded amount of output from each rank,
 * as long as there is room for it. Nothing that a rank prints, and no reader of it, keeps a turn waiting.
 */
#ifndef MST_SUPERVISE_H
#define MST_SUPERVISE_H

#include <poll.h>

#include "shm/base/deadline.h"
#include "src/launch/spawn.h"

#define MST_POLLED_PER_SEAT 3 /* its end and its two streams */
#define MST_POLLED_BESIDE 3   /* signals and our own two streams */

typedef struct mst_supervision {
    mst_spawn_plan *plan;
    const muster_launch_config *config;
    const mst_geometry *geometry;
    mst_output *output;
    struct pollfd *polled;       /* room for all that is polled in a turn */
    mst_rank_process *processes; /* by seat of the arena */
    int count;                   /* of them, also those that are to start later */
    int running;
    bool *released;        /* by seat: memory of the dead that has gone back (references.h) */
    int first_failed;      /* the seat; -1: none yet */
    uint64_t memory_kills; /* of the control group, so far */
    bool timed_out;
    bool stopping;
    bool killed;           /* KILL was sent, since the grace was over */
    bool unread;           /* nobody reads what the ranks print: they are stopped for that */
    bool asked_to_end;     /* by a signal */
    int stopped_by;        /* the first such signal, if no rank had failed by then */
    uint64_t passed_on;    /* bit N: signal N, before any rank had failed */
    int restarts;          /* so far */
    int next_pumped;       /* whose output is taken first in the next turn */
    mst_deadline time;     /* of the whole run */
    int64_t stop_at_ns;    /* 0: no rank has failed; until then the others may say what they know */
    int64_t stopped_at_ns; /* 0: nobody was */
    int64_t kill_at_ns;    /* 0: nobody is being stopped */
} mst_supervision;

void mst_supervise(mst_supervision *all);

/* Passes on the signals that have come. */
void mst_supervise_signals(mst_supervision *all);

/* The time between TERM and KILL. */
int64_t mst_supervision_grace_ns(const mst_supervision *all);

/* Whether a process ended otherwise than with 0. */
bool mst_rank_failed(const mst_rank_process *process);

/* "rank 2 was killed by signal 9 (Killed)" */
void mst_rank_describe(const mst_rank_process *process, char *text, size_t bytes);

#endif
