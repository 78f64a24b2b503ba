/* The ops of reductions: names, and muster.Op. */
#ifndef MUSTER_PYTHON_OPS_H
#define MUSTER_PYTHON_OPS_H

#include "bindings/python/src/operation.h"

/* Takes the op: a name, or a muster.Op; NULL: the operation has one already. */
bool operation_takes_op(operation *operation, PyObject *op);

/* Makes the op that calls the function of the program, and frees it. */
muster_status operation_makes_op(operation *operation);
void operation_frees_op(operation *operation);

PyObject *python_use_ops(PyObject *module, PyObject *args);
PyObject *python_end_ops(PyObject *module, PyObject *unused); /* the interpreter is about to end */

#endif
