/* Shares as Python objects. */
#ifndef MUSTER_PYTHON_SHARE_H
#define MUSTER_PYTHON_SHARE_H

#include "bindings/python/src/state.h"

bool make_share_types(module_state *state);
PyObject *python_share(PyObject *module, PyObject *args);

#endif
