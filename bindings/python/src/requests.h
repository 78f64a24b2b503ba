/* muster.Request: the object by which a program waits for a started operation. */
#ifndef MUSTER_PYTHON_REQUESTS_H
#define MUSTER_PYTHON_REQUESTS_H

#include "bindings/python/src/operation.h"

/* The Request owns the operation while it is pending, and has its result or its error afterwards. */
typedef struct request_object {
    PyObject_HEAD operation *pending; /* NULL: it is over */
    const char *name;
    PyObject *result, *error, *message; /* of one that is over: a result or an error */
    bool told;                          /* the program knows that it is over: wait_any passes over it */
    PyObject *weak;                     /* references */
} request_object;

/* Whether a call may be about this Request, which is pending; false with an exception. */
bool request_may_call(const request_object *request);

/* Turns an operation that is over into the Request's result or error: by the status of its call, or by a
 * Python error. */
void request_end(request_object *request, muster_status status);
void request_end_with(request_object *request, PyObject *error);

/* Returns the result of a Request that is over, or raises its error. */
PyObject *request_outcome(request_object *request);

/* A Request of a started operation, or of one that is over with this result, whose reference it takes. */
PyObject *make_request(const char *name);
void request_begins(PyObject *request, operation *operation);
void request_is_over(PyObject *request, PyObject *result);

bool make_request_type(PyObject *module, module_state *state);

#endif
