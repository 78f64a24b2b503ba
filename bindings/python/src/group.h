/* The methods of muster.Group that make other groups, for its table: subgroups.c. */
#ifndef MUSTER_PYTHON_GROUP_H
#define MUSTER_PYTHON_GROUP_H

#include "bindings/python/src/binding.h"

PyObject *group_split(PyObject *self, PyObject *args, PyObject *keywords);
PyObject *group_dup(PyObject *self, PyObject *unused);
PyObject *group_subset(PyObject *self, PyObject *args);
PyObject *group_shrink(PyObject *self, PyObject *unused);
PyObject *group_grow(PyObject *self, PyObject *unused);

#endif
