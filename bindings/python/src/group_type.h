/* The type muster.Group. */
#ifndef MUSTER_PYTHON_GROUP_TYPE_H
#define MUSTER_PYTHON_GROUP_TYPE_H

#include "bindings/python/src/state.h"

bool make_group_type(PyObject *module, module_state *state);

#endif
