/* Queues as Python objects. */
#ifndef MUSTER_PYTHON_QUEUE_H
#define MUSTER_PYTHON_QUEUE_H

#include "bindings/python/src/state.h"

bool make_queue_type(module_state *state);
PyObject *python_queue(PyObject *module, PyObject *args);

#endif
