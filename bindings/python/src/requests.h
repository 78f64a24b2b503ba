/* muster.Request: what a started operation is waited for by; for the files that wait. */
#ifndef MUSTER_PYTHON_REQUESTS_H
#define MUSTER_PYTHON_REQUESTS_H

#include "bindings/python/src/operation.h"

/* The operation is the Request's while it is pending; then the Request has what came of it. */
typedef struct request_object {
    PyObject_HEAD operation *pending; /* NULL: it is over */
    const char *name;
    PyObject *result, *error, *message; /* of one that is over: a result or an error */
    bool told;                          /* the program knows that it is over: wait_any passes over it */
} request_object;

/* Whether a call may be about this Request, which is pending; false with an exception. */
bool request_may_call(const request_object *request);

/* Takes the operation, which is over, out of its Request: with the status of its call, or with an error. */
void request_end(request_object *request, muster_status status);
void request_end_with(request_object *request, PyObject *error);

/* What wait gives, of one that is over. */
PyObject *request_outcome(request_object *request);

#endif
