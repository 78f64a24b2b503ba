/* What hosts can do for a collective, after the ranks have agreed. collectives.c says which one does what. */
#ifndef MST_HOSTS_PLANS_H
#define MST_HOSTS_PLANS_H

#include "src/hosts/actions.h"

/* ---- of inputs in the records; at ranks with output ---- */

/* Of the first inputs for scans, else of all. */
muster_status mst_finish_reduction(mst_run *run);
muster_status mst_finish_broadcast(mst_run *run);
/* Blocks of all ranks. */
muster_status mst_finish_gather(mst_run *run);

/* ---- of inputs of any size ---- */

muster_status mst_plan_nothing(mst_run *run);
/* Each rank reduces what it needs of all inputs, which come to all. */
muster_status mst_plan_gathered(mst_run *run);
/* All reduce the same: all have the result, or the root has it. */
muster_status mst_plan_reduction(mst_run *run);
/* A block of the reduction for each rank. */
muster_status mst_plan_blocks(mst_run *run);
/* Blocks of all ranks to all. */
muster_status mst_plan_all_gather(mst_run *run);
/* gather, scatter and all_to_all, with equal counts or not. */
muster_status mst_plan_exchange(mst_run *run);
/* Large ones: a slice to each rank, and all slices to all. */
muster_status mst_plan_broadcast(mst_run *run);

#endif
