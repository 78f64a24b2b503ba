/* Collectives in two halves: up to this rank's arrival; and, by muster_finish, the rest. */
#ifndef MST_STARTED_H
#define MST_STARTED_H

#include "src/onehost/coll/call.h"

muster_status mst_collective_start(mst_call *call, muster_request *request);

#endif
