/* What is to be done for each collective, after the ranks have agreed. */
#ifndef MST_HOSTS_PLANS_H
#define MST_HOSTS_PLANS_H

#include "src/hosts/actions.h"

muster_status mst_plan_collective(mst_run *run);

#endif
