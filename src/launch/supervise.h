/*
 * Watching ranks until all have ended: relays their output, tells the arena how each ended (before
 * it is reaped, so that a peer that asks the system always finds an answer in one place or the
 * other), passes signals on, and stops the rest when one fails or the time is up: TERM first, KILL
 * after a grace. Ranks that fail are started again where that is wanted (respawn.h).
 */
#ifndef MST_SUPERVISE_H
#define MST_SUPERVISE_H

#include "shm/deadline.h"
#include "src/launch/spawn.h"

typedef struct mst_supervision {
    const mst_spawn_plan *plan;
    const muster_launch_config *config;
    const mst_geometry *geometry;
    mst_rank_process *processes; /* by seat of the arena */
    int count;                   /* of them, also those that are to start later */
    int running;
    bool *released;        /* by seat: memory of the dead that has gone back (holders.h) */
    int first_failed;      /* the seat; -1: none yet */
    uint64_t memory_kills; /* of the control group, so far */
    bool timed_out;
    bool stopping;
    bool asked_to_end;  /* by a signal */
    int restarts;       /* so far */
    mst_deadline time;  /* of the whole run */
    int64_t kill_at_ns; /* 0: nobody is being stopped */
} mst_supervision;

void mst_supervise(mst_supervision *supervision);

/* Whether a process ended otherwise than with 0. */
bool mst_rank_failed(const mst_rank_process *process);

/* "rank 2 was killed by signal 9 (Killed)" */
void mst_rank_describe(const mst_rank_process *process, char *text, size_t bytes);

#endif
