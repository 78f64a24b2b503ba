/*
 * Watching ranks until all have ended: relays their output, tells the arena how each ended (before
 * it is reaped, so that a peer that asks the system always finds an answer in one place or the
 * other), passes signals on, and stops the rest when one fails or the time is up: TERM first, KILL
 * after a grace.
 */
#ifndef MST_SUPERVISE_H
#define MST_SUPERVISE_H

#include "src/launch/spawn.h"

typedef struct mst_supervision {
    const muster_launch_config *config;
    mst_arena *arena;
    mst_rank_process *processes;
    int started; /* how many of them */
    int running;
    int first_failed; /* -1: none yet */
    bool timed_out;
    bool stopping;
    int64_t timeout_at_ns; /* 0: none */
    int64_t kill_at_ns;    /* 0: nobody is being stopped */
} mst_supervision;

void mst_supervise(mst_supervision *supervision);

#endif
