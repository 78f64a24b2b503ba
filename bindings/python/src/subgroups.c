/* Groups made of a group: its methods split, dup, subset, shrink and grow; of group.h. */
#include "bindings/python/src/subgroups.h"

#include <limits.h>

#include "bindings/python/src/errors.h"
#include "bindings/python/src/group.h"

PyObject *group_split(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "color", "key", NULL };
    muster_group *group, *child = NULL;
    int color, key = -1;
    muster_status status;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "i|i:split", names, &color, &key) ||
        !(group = group_of_object(self)))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_group_split(group, color, key, &child);
    Py_END_ALLOW_THREADS
    if (status != MUSTER_OK)
        return raise_status(status);
    if (!child)
        Py_RETURN_NONE;
    return wrap_subgroup(self, child);
}

PyObject *group_dup(PyObject *self, PyObject *unused)
{
    muster_group *group = group_of_object(self), *copy = NULL;
    muster_status status;

    (void)unused;
    if (!group)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_group_dup(group, &copy);
    Py_END_ALLOW_THREADS
    return status == MUSTER_OK ? wrap_subgroup(self, copy) : raise_status(status);
}

/* The ranks of a sequence; NULL with an exception. */
static int *read_ranks(PyObject *sequence, int *count)
{
    Py_ssize_t length = PySequence_Size(sequence);
    int *ranks = length < 0 ? NULL : PyMem_Malloc(((size_t)length + 1) * sizeof *ranks);

    if (!ranks)
        return length < 0 ? NULL : (int *)(void *)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < length; i++) {
        PyObject *item = PySequence_GetItem(sequence, i);
        long rank = item ? PyLong_AsLong(item) : -1;

        Py_XDECREF(item);
        if (rank == -1 && PyErr_Occurred()) {
            PyMem_Free(ranks);
            return NULL;
        }
        ranks[i] = rank >= 0 && rank < INT_MAX ? (int)rank : -1; /* which muster refuses */
    }
    *count = length < INT_MAX ? (int)length : INT_MAX;
    return ranks;
}

PyObject *group_subset(PyObject *self, PyObject *args)
{
    muster_group *group, *made = NULL;
    muster_status status;
    PyObject *sequence;
    int count = 0;

    if (!PyArg_ParseTuple(args, "O:subset", &sequence) || !(group = group_of_object(self)))
        return NULL;
    int *ranks = read_ranks(sequence, &count);
    if (!ranks)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_group_subset(group, ranks, count, &made);
    Py_END_ALLOW_THREADS
    PyMem_Free(ranks);
    return status == MUSTER_OK ? wrap_subgroup(self, made) : raise_status(status);
}

/* shrink and grow: a group of those who are left, and of those who replace the lost. */
static PyObject *regroup(PyObject *self, muster_status (*make)(muster_group *group, muster_group **made))
{
    muster_group *group = group_of_object(self), *made = NULL;
    muster_status status;

    if (!group)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = make(group, &made);
    Py_END_ALLOW_THREADS
    return status == MUSTER_OK ? wrap_group(made) : raise_status(status);
}

PyObject *group_shrink(PyObject *self, PyObject *unused)
{
    (void)unused;
    return regroup(self, muster_group_shrink);
}

PyObject *group_grow(PyObject *self, PyObject *unused)
{
    (void)unused;
    return regroup(self, muster_group_grow);
}
