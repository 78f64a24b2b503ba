/* Elements of arrays, by the buffer protocol or by DLPack. */
#ifndef MUSTER_PYTHON_VIEW_H
#define MUSTER_PYTHON_VIEW_H

#include "bindings/python/src/state.h"

enum { VIEW_DIMENSIONS_MAX = 32 };

/* Somebody's elements, by the buffer protocol or by DLPack, in C order. */
typedef struct view {
    void *data;
    size_t count;
    muster_dtype dtype;
    int dimensions;
    Py_ssize_t shape[VIEW_DIMENSIONS_MAX];
    Py_buffer buffer;
    bool has_buffer;
    PyObject *capsule; /* DLPack's */
} view;

/* 1: open. 0: it is not to be had so, without an exception (a number, a list, not in C order). -1: exception.
 * `dtype`: the name of what the elements are to be taken for; NULL or None: what they are, and in numpy's
 * arrays that muster has made for floats which numpy lacks, what their dtype's metadata says. */
int view_open(PyObject *object, bool writable, PyObject *dtype, view *view);
void view_close(view *view);

/* Raises the exception that says why `object` cannot be written to without a copy: view_open returned 0. */
void raise_unwritable(PyObject *object, const char *call);

/* Whether muster knows what the elements are, and does not only move them; false: with an exception. */
bool view_is_of_numbers(const view *view);

/* elements_of(x) -> (dtype, shape), or None: they are not to be had as they are. */
PyObject *python_elements_of(PyObject *module, PyObject *object);

/* `name`: a string, or whatever muster._dtypes takes for a dtype. */
bool dtype_of_name(PyObject *name, muster_dtype *dtype); /* false: with an exception */

#endif
