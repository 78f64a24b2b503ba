/* Waits for started operations of several groups over several hosts. */
#ifndef MST_HOSTS_AWAIT_H
#define MST_HOSTS_AWAIT_H

#include "src/backend.h"

/* For the backend's table. */
muster_status mst_hosts_wait(mst_wait_set *set, size_t *index);

#endif
