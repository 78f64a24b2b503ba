/* Grids of ranks: arithmetic, which needs no group. */
#include "bindings/python/src/grid.h"

#include <limits.h>

#include "bindings/python/src/errors.h"

static bool read_number(PyObject *item, int *number)
{
    long value = item ? PyLong_AsLong(item) : -1;

    if (value == -1 && PyErr_Occurred())
        return false;
    if (value < INT_MIN || value > INT_MAX) {
        PyErr_Format(PyExc_ValueError, "%R is no length of a grid", item);
        return false;
    }
    *number = (int)value;
    return true;
}

/* The lengths in a sequence, or that many zeros. Returns how many; -1: with an exception. */
static int read_dims(PyObject *object, int dims[MUSTER_GRID_MAX])
{
    bool is_count = PyLong_Check(object);
    Py_ssize_t length = is_count ? PyLong_AsSsize_t(object) : PySequence_Size(object);

    if (PyErr_Occurred())
        return -1;
    if (length < 1 || length > MUSTER_GRID_MAX) {
        PyErr_Format(PyExc_ValueError, "a grid of %zd dimensions; expected 1 to %d", length, MUSTER_GRID_MAX);
        return -1;
    }
    for (Py_ssize_t i = 0; i < length; i++) {
        PyObject *item = is_count ? NULL : PySequence_GetItem(object, i);

        dims[i] = 0;
        bool read = is_count || read_number(item, &dims[i]);
        Py_XDECREF(item);
        if (!read)
            return -1;
    }
    return (int)length;
}

static PyObject *tuple_of(const int *numbers, int count)
{
    PyObject *tuple = PyTuple_New(count);

    for (int i = 0; tuple && i < count; i++) {
        PyObject *number = PyLong_FromLong(numbers[i]);

        if (!number || PyTuple_SetItem(tuple, i, number) != 0) {
            Py_DECREF(tuple);
            return NULL;
        }
    }
    return tuple;
}

PyObject *python_grid_dims(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "size", "dims", NULL };
    int size, dims[MUSTER_GRID_MAX], count;
    PyObject *given;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "iO:grid_dims", names, &size, &given) ||
        (count = read_dims(given, dims)) < 0)
        return NULL;
    muster_status status = muster_grid_dims(size, count, dims);
    return status == MUSTER_OK ? tuple_of(dims, count) : raise_status(status);
}

PyObject *python_grid_coordinates(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "dims", "rank", NULL };
    int rank, dims[MUSTER_GRID_MAX], coordinates[MUSTER_GRID_MAX], count;
    PyObject *given;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "Oi:grid_coordinates", names, &given, &rank) ||
        (count = read_dims(given, dims)) < 0)
        return NULL;
    muster_status status = muster_grid_coordinates(dims, count, rank, coordinates);
    return status == MUSTER_OK ? tuple_of(coordinates, count) : raise_status(status);
}

/* What is wrong is told here: C returns the same as beyond an edge. */
PyObject *python_grid_neighbour(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "dims", "rank", "dimension", "distance", "periodic", NULL };
    int rank, dimension, distance, periodic = 0, dims[MUSTER_GRID_MAX], coordinates[MUSTER_GRID_MAX], count;
    PyObject *given;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "Oiii|p:grid_neighbour", names, &given, &rank,
                                     &dimension, &distance, &periodic) ||
        (count = read_dims(given, dims)) < 0)
        return NULL;
    muster_status status = muster_grid_coordinates(dims, count, rank, coordinates);
    if (status != MUSTER_OK)
        return raise_status(status);
    if (dimension < 0 || dimension >= count)
        return PyErr_Format(PyExc_ValueError, "dimension %d of a grid of %d", dimension, count);
    int neighbour = muster_grid_neighbour(dims, count, rank, dimension, distance, periodic != 0);
    return neighbour == MUSTER_RANK_NONE ? Py_NewRef(state_of_module()->rank_none)
                                         : PyLong_FromLong(neighbour);
}
