/* Checks a collective that the program calls, and passes it to the backend. */
#ifndef MST_REQUEST_H
#define MST_REQUEST_H

#include "src/backend.h"

/* Enters, checks, carries out and leaves a collective. */
muster_status mst_request_run(muster_group *group, mst_request *request);

/* The same up to this rank's arrival; *handle is for muster_wait and its relatives. */
muster_status mst_request_start(muster_group *group, mst_request *request, muster_request *handle);

#endif
