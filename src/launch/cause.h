/*
 * Finds the cause of a failure: which of the failed ranks was first, and a description of why. A rank that
 * fails because another one left early, aborted the group or disagreed is not the cause; the arena tells
 * which one was.
 */
#ifndef MST_CAUSE_H
#define MST_CAUSE_H

#include "src/launch/job.h"

/* When several have ended at once: whether the process is a likelier cause than `other`, which may be
 * NULL. */
bool mst_cause_is_likelier(const mst_rank_process *process, const mst_rank_process *other);

/* The seat of the rank that failed first, according to the ranks, when the launcher finds `failed` first. */
int mst_cause_find(const mst_job *job, const mst_rank_process *failed);

/* When all have ended: prefers the rank that left or aborted the group, if that rank failed, to one that
 * failed because of it and happened to end before it. */
void mst_cause_settle(mst_job *job);

/* One sentence about the failure of job->first_failed: what the launcher did, or what broke the group. */
void mst_cause_describe(const mst_job *job, char *text, size_t bytes);

#endif
