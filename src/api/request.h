/* Checks a collective that the program calls, and passes it to the backend. */
#ifndef MST_REQUEST_H
#define MST_REQUEST_H

#include "src/backend.h"

/* Enters, checks, carries out and leaves a collective with one count for all ranks. A call that repeats the
 * latest one, as in a loop, finds its request ready in the group. */
muster_status mst_request_run_equal(muster_group *group, mst_collective collective, const void *in, void *out,
                                    size_t count, muster_dtype dtype, muster_op op, int root);

/* The same with a count for each rank. */
muster_status mst_request_run(muster_group *group, mst_request *request);

/* Enters and checks a collective, and starts it; *handle is for muster_wait and its relatives. */
muster_status mst_request_start(muster_group *group, mst_request *request, muster_request *handle);

#endif
