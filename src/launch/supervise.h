/*
 * Watches ranks until all have ended. It records in the arena how each ended (before reaping it, so that a
 * peer that asks the system always finds an answer in one place or the other), passes signals on, and stops
 * the rest when one fails or the time limit is reached: TERM first, KILL after a grace period. Failed ranks
 * are respawned if the config asks for it (respawn.h).
 *
 * It works in turns: signals, deaths and deadlines first, then a bounded amount of output from each rank, as
 * long as there is space for it. Neither what a rank prints nor a reader of it can delay a turn.
 */
#ifndef MST_SUPERVISE_H
#define MST_SUPERVISE_H

#include "src/launch/job.h"

void mst_supervise(mst_job *job);

#endif
