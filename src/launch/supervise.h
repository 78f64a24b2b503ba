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

#include "src/launch/job.h"

void mst_supervise(mst_job *job);

#endif
