/* Started collectives (pending.h). */
#ifndef MST_STARTED_H
#define MST_STARTED_H

#include "src/onehost/coll/call.h"

/* For the backend's table. */
muster_status mst_started_call(muster_group *group, const mst_request *request, uint64_t *number);

void mst_started_destroy(mst_group *group);

#endif
