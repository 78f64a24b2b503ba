/* Exceptions: those of calls that failed, and those that are kept for later. */
#ifndef MUSTER_PYTHON_ERRORS_H
#define MUSTER_PYTHON_ERRORS_H

#include "bindings/python/src/state.h"

bool make_errors(PyObject *module);

/* The exception of a call that failed, with its sentence; returns NULL. What a signal handler has raised
 * while it waited is left as it is. */
PyObject *raise_status(muster_status status);
PyObject *raise_status_and(muster_status status, const char *more); /* behind the sentence */

/* Takes the exception that is raised; NULL: none is. */
PyObject *take_exception(void);

/* Raises an exception that was taken, which stays the caller's; returns NULL. */
PyObject *raise_again(PyObject *exception);

/* Seconds, None: 0; false with an exception, whose sentence ends with `instead`. */
bool timeout_of(PyObject *object, const char *instead, int64_t *timeout_ns);

PyObject *python_timeout_ns(PyObject *module, PyObject *timeout); /* None: 0 */

#endif
