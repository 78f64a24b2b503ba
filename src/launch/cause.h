/*
 * Who was the cause: of the ranks that failed, which one was first, and in words why. A rank that fails since
 * another one left early, aborted the group or disagreed is not the cause; the arena knows which one was.
 */
#ifndef MST_CAUSE_H
#define MST_CAUSE_H

#include "src/launch/job.h"

/* When several have ended at once: whether the process is a likelier cause than the other, NULL: none. */
bool mst_cause_is_likelier(const mst_rank_process *process, const mst_rank_process *other);

/* The seat of the rank that failed first, as far as the ranks know, when `failed` is found first. */
int mst_cause_find(const mst_job *job, const mst_rank_process *failed);

/* When all have ended: the rank that left or aborted the group, if it turns out to have failed, rather than
 * one that failed for that and happened to be gone before it. */
void mst_cause_settle(mst_job *job);

/* One sentence about the failure of job->first_failed: what the launcher did, or what broke the group. */
void mst_cause_describe(const mst_job *job, char *text, size_t bytes);

#endif
