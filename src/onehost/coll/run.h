/* Runs a collective on shared memory: from the request to its method (call.h). */
#ifndef MST_RUN_H
#define MST_RUN_H

#include "src/onehost/coll/call.h"

/* The backend's collective: a complete call. */
muster_status mst_call_run(muster_group *group, const mst_request *request);

/* The place of a group's blocking calls; false: no memory. */
bool mst_call_init(mst_group *group);

/* Makes it a call of which nothing is planned yet, and which waits for rounds of collectives. */
void mst_call_begin(mst_call *call, mst_group *group, const mst_request *request);

/* A call has produced its result: injected faults happen there. */
void mst_call_end(const mst_call *call);

/* The whole of a call in a group of one. */
void mst_call_alone(const mst_call *call);

#endif
