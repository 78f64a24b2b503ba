/* A collective, from what a program asks for to what a backend is asked for. */
#ifndef MST_REQUEST_H
#define MST_REQUEST_H

#include "src/backend.h"

/* Checks, enters, has it done, leaves. */
muster_status mst_request_run(muster_group *group, mst_request *request);

/* The same up to where this rank has done its part; *handle is for muster_finish. */
muster_status mst_request_start(muster_group *group, mst_request *request, muster_request *handle);

#endif
