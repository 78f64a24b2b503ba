/*
 * Starting failed ranks again: whether, in which seat, and when.
 *
 * A rank is replaced while there are restarts left and another rank is in the world still, which could take
 * the new one in. The decision is told to the arena at once (successor.h), since those who are left may
 * already be waiting for it; the process follows after a delay that doubles while its predecessors were
 * short-lived. When nobody is in the world any more, replacements that were never taken in are stopped:
 * there is nothing for them to do.
 */
#ifndef MST_RESPAWN_H
#define MST_RESPAWN_H

#include "src/launch/job.h"

#define MST_RESTARTS_DEFAULT 16

/* How many seats the arena needs beyond the ranks'. */
int mst_respawn_seats(const muster_launch_config *config);

/* Decides what becomes of the rank of a process that has ended, and whether that is a failure for good. One
 * that was never taken in is none: what failed is the one that it was to replace. */
bool mst_respawn_decide(mst_job *job, mst_rank_process *process);

/* Starts those whose time has come, and stops those whom nobody will take in. */
void mst_respawn_act(mst_job *job);

/* When the next one is to start; 0: none. */
int64_t mst_respawn_next_ns(const mst_job *job);

/* The failure that the report is about, when no rank failed for good: one whose replacement was never
 * taken in; -1: none. */
int mst_respawn_unreplaced(const mst_job *job);

/* Whether the process was a member of the world at any time. */
bool mst_respawn_was_inside(const mst_job *job, const mst_rank_process *process);

#endif
