/* One wait for started operations of which some are on shared memory, and others over frames. */
#ifndef MST_HOSTS_POLL_H
#define MST_HOSTS_POLL_H

#include "src/backend.h"

/* As muster_wait_all, or, with `all` false, as muster_wait_any. Those of one backend wait as that does. */
muster_status mst_poll(muster_request *requests, size_t count, bool all, int64_t timeout_ns, size_t *index);

#endif
