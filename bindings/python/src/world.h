/* The default world, and groups as arguments. */
#ifndef MUSTER_PYTHON_WORLD_H
#define MUSTER_PYTHON_WORLD_H

#include "bindings/python/src/state.h"

/* The C group of a Group, or of the default world for None; NULL with an exception. */
muster_group *group_of_argument(PyObject *object);

/* Asked while a rank waits: lets signal handlers run, which may raise; Ctrl-C does. */
bool has_interrupted(void *unused);

PyObject *python_init(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *python_has_world(PyObject *module, PyObject *unused);
PyObject *python_mark_phase(PyObject *module, PyObject *args);
PyObject *python_is_available(PyObject *module, PyObject *args, PyObject *keywords);

#endif
