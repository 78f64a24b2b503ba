/* Started collectives, for the backend's table: start, up to this rank's arrival; and the rest. */
#ifndef MST_NONBLOCKING_H
#define MST_NONBLOCKING_H

#include "src/onehost/coll/call.h"

muster_status mst_call_start(muster_group *group, const mst_request *request, uint64_t *number);
muster_status mst_call_test(muster_group *group, uint64_t number, bool *over);
muster_status mst_call_wait(mst_wait_set *set, size_t *index);

#endif
