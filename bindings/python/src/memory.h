/* Arena memory as a Python object. */
#ifndef MUSTER_PYTHON_MEMORY_H
#define MUSTER_PYTHON_MEMORY_H

#include "bindings/python/src/state.h"

bool make_memory_type(PyObject *module, module_state *state);
PyObject *python_allocate(PyObject *module, PyObject *args);

#endif
