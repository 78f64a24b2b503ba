/* What the format of a buffer says of its elements. */
#ifndef MUSTER_PYTHON_FORMATS_H
#define MUSTER_PYTHON_FORMATS_H

#include "bindings/python/src/state.h"

/* Of the struct module, of numpy for complex numbers and pairs, or of ctypes for these; of this machine's
 * byte order. `bytes`: the size of an element. False: none of muster's. */
bool dtype_of_format(const char *format, size_t bytes, muster_dtype *dtype);
bool integer_of(size_t bytes, bool is_signed, muster_dtype *dtype);

/* Addresses mean nothing in another process; objects have references. */
bool holds_addresses(const char *format);

PyObject *python_holds_addresses(PyObject *module, PyObject *format);

#endif
