/* Waits for started operations that are carried as they are. */
#ifndef MST_HOSTS_AWAIT_CARRIED_H
#define MST_HOSTS_AWAIT_CARRIED_H

#include "src/backend.h"

/* With no collective of a group that has a link. */
muster_status mst_hosts_wait_carried(mst_wait_set *set, size_t *index);

#endif
