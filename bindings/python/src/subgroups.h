/* The methods of muster.Group that make other groups. */
#ifndef MUSTER_PYTHON_SUBGROUPS_H
#define MUSTER_PYTHON_SUBGROUPS_H

#include "bindings/python/src/state.h"

PyObject *group_split(PyObject *self, PyObject *args, PyObject *keywords);
PyObject *group_dup(PyObject *self, PyObject *unused);
PyObject *group_subset(PyObject *self, PyObject *args);
PyObject *group_shrink(PyObject *self, PyObject *unused);
PyObject *group_grow(PyObject *self, PyObject *unused);

#endif
