/*
 * Blocking and started operations over several hosts: collectives are runs (run.h), in the order in which
 * they were entered; messages are the link's, and of a group on one host everything is its local group's. A
 * request of those has the same number there.
 */
#ifndef MST_HOSTS_PENDING_H
#define MST_HOSTS_PENDING_H

#include "src/hosts/actions.h"

muster_status mst_hosts_collective(muster_group *group, const mst_request *request);
muster_status mst_hosts_start(muster_group *group, const mst_request *request, uint64_t *number);
muster_status mst_hosts_test(muster_group *group, uint64_t number, bool *over);

/* Advances the collectives of all groups of the rank's world that no thread waits in; and those of one group,
 * whose lock is held: false: there is nothing more to do, unless something is started. */
void mst_hosts_advance_others(mst_hosts_group *group);
bool mst_hosts_advance_unattended(mst_hosts_group *group);

/* ---- for waits ---- */

/* What the carrier calls the operation; a request without a group is as before. */
muster_request mst_hosts_carried(const muster_request *request);

/* Whether the operation is a run, and it; NULL: it is not pending. */
bool mst_hosts_is_run(const muster_request *request);
mst_run *mst_hosts_find(const muster_request *request);
muster_status mst_hosts_refuse_unknown(void);

/* Whether it has ended, by whichever thread. */
bool mst_hosts_is_over(mst_run *run);
/* Whether all ranks of this host have come to it. */
bool mst_hosts_is_fenced(mst_run *run);

/* Whether this thread advances the runs of the group, and nobody else. */
void mst_hosts_attend(mst_hosts_group *group, bool attended);

/* Advances all runs that can be; the first that is not over; NULL: there is none. */
mst_run *mst_hosts_advance(mst_hosts_group *group);

/* Ends it with the thread's latest error; takes it off the list, and returns what it ended with. */
void mst_hosts_fail_run(mst_run *run, muster_status status);
muster_status mst_hosts_complete(mst_run *run);

#endif
