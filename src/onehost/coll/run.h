/* Running a collective on shared memory: from what was asked for to its method (call.h). */
#ifndef MST_RUN_H
#define MST_RUN_H

#include "src/onehost/coll/call.h"

/* The backend's collective: all of a call. */
muster_status mst_call_run(muster_group *group, const mst_request *request);

/* Its parts: all that comes after its number and places are known, and the result's end. */
muster_status mst_call_move(mst_call *call);
void mst_call_end(const mst_call *call); /* has given its result */

#endif
