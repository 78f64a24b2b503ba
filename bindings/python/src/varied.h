/* Collectives with a count for each rank. */
#ifndef MUSTER_PYTHON_VARIED_H
#define MUSTER_PYTHON_VARIED_H

#include "bindings/python/src/state.h"

PyObject *python_varied(PyObject *module, PyObject *args);

#endif
