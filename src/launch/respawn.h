/*
 * Respawns failed ranks: decides whether, in which seat, and when.
 *
 * A rank is replaced if restarts are left and another rank is still in the world, which could admit the
 * replacement. The decision is stored in the arena at once (successor.h), since the survivors may already be
 * waiting for it; the process starts after a delay that doubles while its predecessors were short-lived. When
 * no rank is in the world any more, replacements that were never admitted are stopped: they have nothing to
 * do.
 */
#ifndef MST_RESPAWN_H
#define MST_RESPAWN_H

#include "src/launch/job.h"

#define MST_RESTARTS_DEFAULT 16

/* Number of seats that the arena needs beyond the ranks'. */
int mst_respawn_seats(const muster_launch_config *config);

/* Decides whether the rank of a process that has ended is respawned; returns whether this is a final failure.
 * A process that was never admitted is not: the failure is that of the process that it was to replace. */
bool mst_respawn_decide(mst_job *job, mst_rank_process *process);

/* Starts processes that are due, and stops those that no rank can admit. */
void mst_respawn_act(mst_job *job);

/* When the next process is due; 0: none. */
int64_t mst_respawn_next_ns(const mst_job *job);

/* The failure to report if no rank failed for good: one whose replacement was never admitted; -1: none. */
int mst_respawn_unreplaced(const mst_job *job);

/* Whether the process was a member of the world at any time. */
bool mst_respawn_was_inside(const mst_job *job, const mst_rank_process *process);

#endif
