/*
 * Collectives with a count for each rank, of operation.h: what muster._varied, which has their arguments,
 * calls. Counts are elements here, and each buffer has exactly as many as its counts say.
 */
#include <string.h>

#include "bindings/python/src/operation.h"

enum kind { ALL_GATHERV, GATHERV, SCATTERV, ALL_TO_ALLV, REDUCE_SCATTERV, KINDS };

static const char *const names[][2] = { [ALL_GATHERV] = { "all_gatherv", "all_gatherv_start" },
                                        [GATHERV] = { "gatherv", "gatherv_start" },
                                        [SCATTERV] = { "scatterv", "scatterv_start" },
                                        [ALL_TO_ALLV] = { "all_to_allv", "all_to_allv_start" },
                                        [REDUCE_SCATTERV] = { "reduce_scatterv", "reduce_scatterv_start" } };

static bool kind_of(const char *name, int *kind)
{
    for (*kind = 0; *kind < KINDS; ++*kind)
        if (strcmp(name, names[*kind][0]) == 0)
            return true;
    PyErr_Format(PyExc_ValueError, "%s is no collective with a count for each rank", name);
    return false;
}

/* Reads the counts, which must be what the buffer, if there is one, has together. */
static bool read_counts(const operation *operation, PyObject *numbers, const view *view, size_t **counts)
{
    int size = muster_group_size(operation->group);
    size_t total = 0;

    if (PySequence_Size(numbers) != size) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ValueError, "%s(): %zd counts for a group of size %d", operation->name,
                         PySequence_Size(numbers), size);
        return false;
    }
    *counts = PyMem_Calloc((size_t)size, sizeof **counts);
    if (!*counts)
        return PyErr_NoMemory(), false;
    for (int rank = 0; rank < size; rank++) {
        PyObject *number = PySequence_GetItem(numbers, rank);

        (*counts)[rank] = number ? PyLong_AsSize_t(number) : 0;
        Py_XDECREF(number);
        if (PyErr_Occurred())
            return false;
        if (__builtin_add_overflow(total, (*counts)[rank], &total))
            return PyErr_SetString(PyExc_OverflowError, "the counts are more than memory can have"), false;
    }
    if (!view || view->count == total)
        return true;
    PyErr_Format(PyExc_ValueError, "%s(): the counts are %zu elements together, and the array has %zu",
                 operation->name, total, view->count);
    return false;
}

static bool opens_both(operation *o, PyObject *x, PyObject *in_counts, PyObject *out, PyObject *out_counts)
{
    if (x != Py_None && !operation_reads(o, x, NULL))
        return false;
    if (in_counts != Py_None && !read_counts(o, in_counts, o->has_in ? &o->in : NULL, &o->in_counts))
        return false;
    if (out == Py_None)
        return out_counts == Py_None || read_counts(o, out_counts, NULL, &o->out_counts);
    o->result = Py_NewRef(out);
    return operation_writes(o, out, NULL) &&
           (out_counts == Py_None || read_counts(o, out_counts, &o->out, &o->out_counts));
}

static bool check_both(const operation *o)
{
    if (!o->has_in || !o->has_out || o->in.dtype == o->out.dtype) {
        size_t own = o->in_counts ? o->in_counts[muster_group_rank(o->group)] : 0;

        if (o->kind != REDUCE_SCATTERV || o->out.count == own)
            return true;
        PyErr_Format(PyExc_ValueError, "%s(): out has %zu elements; expected %zu", o->name, o->out.count,
                     own);
        return false;
    }
    PyErr_Format(PyExc_ValueError, "%s(): x is of %s and out of %s", o->name, muster_dtype_name(o->in.dtype),
                 muster_dtype_name(o->out.dtype));
    return false;
}

static muster_status run(operation *o, muster_request *request)
{
    const void *in = o->has_in ? o->in.data : NULL;
    void *out = o->has_out ? o->out.data : NULL;
    size_t in_count = o->has_in ? o->in.count : 0, out_count = o->has_out ? o->out.count : 0;

    switch (o->kind) {
    case ALL_GATHERV:
        return EITHER(muster_all_gatherv, in, in_count, out, o->out_counts, NULL, o->dtype);
    case GATHERV:
        return EITHER(muster_gatherv, in, in_count, out, o->out_counts, NULL, o->dtype, o->root);
    case SCATTERV:
        return EITHER(muster_scatterv, in, o->in_counts, NULL, out, out_count, o->dtype, o->root);
    case ALL_TO_ALLV:
        return EITHER(muster_all_to_allv, in, o->in_counts, NULL, out, o->out_counts, NULL, o->dtype);
    default:
        return EITHER(muster_reduce_scatterv, in, o->in_counts, out, o->dtype, o->op);
    }
}

/* varied(name, started, x, in_counts, out, out_counts, root, op, group): x and its counts, and out and its,
 * are None where the call has none. */
PyObject *python_varied(PyObject *module, PyObject *args)
{
    PyObject *x, *in_counts, *out, *out_counts, *op, *group;
    operation place, *o;
    const char *name;
    int started, root, kind;

    (void)module;
    if (!PyArg_ParseTuple(args, "spOOOOiOO:varied", &name, &started, &x, &in_counts, &out, &out_counts, &root,
                          &op, &group) ||
        !kind_of(name, &kind) || !(o = operation_begin(&place, names[kind][started], group, started)))
        return NULL;
    o->call = run;
    o->kind = kind;
    o->root = root;
    o->op = MUSTER_SUM;
    if (!operation_takes_op(o, op == Py_None ? NULL : op) || !opens_both(o, x, in_counts, out, out_counts) ||
        !check_both(o))
        return operation_fail(o);
    return operation_perform(o);
}
