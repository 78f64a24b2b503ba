/* Carries an operation out, or starts it. */
#ifndef MUSTER_PYTHON_PERFORM_H
#define MUSTER_PYTHON_PERFORM_H

#include "bindings/python/src/operation.h"

/* Each of these ends the call: they return the result, or a Request of a started one, or NULL with an
 * exception; what is not needed any more is given up. */
PyObject *operation_perform(operation *operation);
PyObject *operation_done(operation *operation); /* nothing is to be done: the result is known */

#endif
