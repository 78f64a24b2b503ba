/* Operations on addresses, for muster.torch. */
#ifndef MUSTER_PYTHON_RAW_H
#define MUSTER_PYTHON_RAW_H

#include "bindings/python/src/state.h"

PyObject *python_attach(PyObject *module, PyObject *args);
PyObject *python_raw(PyObject *module, PyObject *args);
PyObject *python_premul_sum(PyObject *module, PyObject *args);
PyObject *python_op_free(PyObject *module, PyObject *args);

#endif
