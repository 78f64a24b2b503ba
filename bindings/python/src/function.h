/* How functions of the module are declared. */
#ifndef MUSTER_PYTHON_FUNCTION_H
#define MUSTER_PYTHON_FUNCTION_H

#include "bindings/python/src/state.h"

#define FAST_FUNCTION(name)                                                                                  \
    PyObject *python_##name(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
#define SLOW_FUNCTION(name) PyObject *python_##name(PyObject *module, PyObject *args, PyObject *keywords)

#endif
