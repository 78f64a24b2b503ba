/* Grids of ranks. */
#ifndef MUSTER_PYTHON_GRID_H
#define MUSTER_PYTHON_GRID_H

#include "bindings/python/src/state.h"

PyObject *python_grid_dims(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *python_grid_coordinates(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *python_grid_neighbour(PyObject *module, PyObject *args, PyObject *keywords);

#endif
