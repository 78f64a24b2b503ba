/* What the format of a buffer says of its elements. */
#ifndef MUSTER_PYTHON_FORMATS_H
#define MUSTER_PYTHON_FORMATS_H

#include "bindings/python/src/state.h"

/* Addresses mean nothing in another process; objects have references. */
bool holds_addresses(const char *format);

PyObject *python_holds_addresses(PyObject *module, PyObject *format);

#endif
