/* Does an operation, or starts it: the end of every call that makes one. Of operation.h. */
#include "bindings/python/src/perform.h"

#include <unistd.h>

#include "bindings/python/src/operation.h"
#include "bindings/python/src/ops.h"
#include "bindings/python/src/requests.h"

static muster_status carry_out(operation *operation, muster_request *request)
{
    muster_status status;

    Py_BEGIN_ALLOW_THREADS
    status = operation_makes_op(operation);
    if (status == MUSTER_OK) {
        status = operation->call(operation, request);
        operation_frees_op(operation);
    }
    Py_END_ALLOW_THREADS
    return status;
}

static PyObject *start(operation *operation)
{
    PyObject *request = make_request(operation->name);

    if (!request)
        return operation_fail(operation);
    operation->waiter = NULL;
    operation->process = (long)getpid();
    muster_status status = carry_out(operation, &operation->request);
    if (status == MUSTER_OK) {
        request_begins(request, operation);
        return request;
    }
    operation_outcome(operation, status); /* raises */
    operation_close(operation);
    Py_DECREF(request);
    return NULL;
}

PyObject *operation_perform(operation *operation)
{
    if (operation->started)
        return start(operation);
    muster_status status = carry_out(operation, NULL);
    PyObject *result = operation_outcome(operation, status);
    operation_close(operation);
    return result;
}

PyObject *operation_done(operation *operation)
{
    PyObject *result = operation_outcome(operation, MUSTER_OK), *request = NULL;
    bool started = operation->started;

    if (result && started)
        request = make_request(operation->name);
    operation_close(operation);
    if (!started || !result)
        return result;
    if (!request)
        Py_DECREF(result);
    else
        request_is_over(request, result);
    return request;
}
