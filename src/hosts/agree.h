/*
 * Agreement of the members of a group over several hosts: each tells all others what it was asked for, and
 * all compare before any output is written. A small input travels in the record, and needs nothing more.
 */
#ifndef MST_HOSTS_AGREE_H
#define MST_HOSTS_AGREE_H

#include "src/hosts/actions.h"

/* Appends the agreement, and what is to be done when all agree. */
muster_status mst_hosts_agree(mst_run *run, mst_run_plan then);

/* Whether the inputs are in the records. */
bool mst_hosts_has_inputs(const mst_run *run);

#endif
