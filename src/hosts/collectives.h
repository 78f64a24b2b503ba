/* Which collectives there are over several hosts, and what is done for each. */
#ifndef MST_HOSTS_COLLECTIVES_H
#define MST_HOSTS_COLLECTIVES_H

#include "src/hosts/actions.h"

/* UNSUPPORTED: it is not there over several hosts. */
muster_status mst_hosts_admit_collective(const mst_request *request);

/* What is to be done after the ranks have agreed. */
muster_status mst_plan_collective(mst_run *run);

#endif
