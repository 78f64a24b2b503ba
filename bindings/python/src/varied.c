/*
 * Collectives with a count for each rank: what muster._varied, which has their arguments,
 * calls. Counts and displacements are elements here. Without displacements each buffer has exactly as many
 * elements as its counts say; with them every block is in its buffer.
 */
#include "bindings/python/src/varied.h"

#include <string.h>

#include "bindings/python/src/operation.h"
#include "bindings/python/src/ops.h"
#include "bindings/python/src/perform.h"
#include "bindings/python/src/view.h"

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

/* One number for each rank. */
static bool read_numbers(const operation *operation, PyObject *numbers, const char *what, size_t **read)
{
    int size = muster_group_size(operation->group);

    if (PySequence_Size(numbers) != size) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ValueError, "%s(): %zd %s for a group of size %d", operation->name,
                         PySequence_Size(numbers), what, size);
        return false;
    }
    *read = PyMem_Calloc((size_t)size, sizeof **read);
    if (!*read)
        return PyErr_NoMemory(), false;
    for (int rank = 0; rank < size; rank++) {
        PyObject *number = PySequence_GetItem(numbers, rank);

        (*read)[rank] = number ? PyLong_AsSize_t(number) : 0;
        Py_XDECREF(number);
        if (PyErr_Occurred())
            return false;
    }
    return true;
}

/* The blocks one behind the other: they are all that the buffer, if there is one, has. */
static bool check_packed(const operation *operation, const size_t *counts, const view *view)
{
    size_t total = 0;

    for (int rank = 0; rank < muster_group_size(operation->group); rank++)
        if (__builtin_add_overflow(total, counts[rank], &total))
            return PyErr_SetString(PyExc_OverflowError, "the counts are more than memory can have"), false;
    if (!view || view->count == total)
        return true;
    PyErr_Format(PyExc_ValueError, "%s(): the counts are %zu elements together, and the array has %zu",
                 operation->name, total, view->count);
    return false;
}

static bool check_placed(const operation *operation, const size_t *counts, const size_t *displacements,
                         const view *view)
{
    for (int rank = 0; rank < muster_group_size(operation->group); rank++) {
        size_t end;

        if (!__builtin_add_overflow(displacements[rank], counts[rank], &end) && view && end <= view->count)
            continue;
        PyErr_Format(PyExc_ValueError,
                     "%s(): the block of rank %d, %zu elements at %zu, is not in the array, which has %zu",
                     operation->name, rank, counts[rank], displacements[rank], view ? view->count : 0);
        return false;
    }
    return true;
}

/* What the caller says of one of the two buffers: None where the call has none. */
typedef struct side {
    PyObject *array, *counts, *displacements;
} side;

static bool read_side(const operation *operation, const side *side, const view *view, size_t **counts,
                      size_t **displacements)
{
    if (side->counts == Py_None)
        return true;
    if (!read_numbers(operation, side->counts, "counts", counts))
        return false;
    if (side->displacements == Py_None)
        return check_packed(operation, *counts, view);
    return read_numbers(operation, side->displacements, "displacements", displacements) &&
           check_placed(operation, *counts, *displacements, view);
}

static bool opens_both(operation *o, const side *in, const side *out)
{
    if (in->array != Py_None && !operation_reads(o, in->array, NULL))
        return false;
    if (!read_side(o, in, o->has_in ? &o->in : NULL, &o->in_counts, &o->in_displacements))
        return false;
    if (out->array != Py_None) {
        o->result = Py_NewRef(out->array);
        if (!operation_writes(o, out->array, NULL))
            return false;
    }
    return read_side(o, out, o->has_out ? &o->out : NULL, &o->out_counts, &o->out_displacements);
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
        return EITHER(muster_all_gatherv, in, in_count, out, o->out_counts, o->out_displacements, o->dtype);
    case GATHERV:
        return EITHER(muster_gatherv, in, in_count, out, o->out_counts, o->out_displacements, o->dtype,
                      o->root);
    case SCATTERV:
        return EITHER(muster_scatterv, in, o->in_counts, o->in_displacements, out, out_count, o->dtype,
                      o->root);
    case ALL_TO_ALLV:
        return EITHER(muster_all_to_allv, in, o->in_counts, o->in_displacements, out, o->out_counts,
                      o->out_displacements, o->dtype);
    default:
        return EITHER(muster_reduce_scatterv, in, o->in_counts, out, o->dtype, o->op);
    }
}

/* varied(name, started, x, in_counts, in_displacements, out, out_counts, out_displacements, root, op, group)
 */
PyObject *python_varied(PyObject *module, PyObject *args)
{
    PyObject *op, *group;
    operation place, *o;
    const char *name;
    side in, out;
    int started, root, kind;

    (void)module;
    if (!PyArg_ParseTuple(args, "spOOOOOOiOO:varied", &name, &started, &in.array, &in.counts,
                          &in.displacements, &out.array, &out.counts, &out.displacements, &root, &op,
                          &group) ||
        !kind_of(name, &kind) || !(o = operation_begin(&place, names[kind][started], group, started)))
        return NULL;
    o->call = run;
    o->kind = kind;
    o->root = root;
    o->op = MUSTER_SUM;
    o->reduces = kind == REDUCE_SCATTERV;
    if (!operation_takes_op(o, op == Py_None ? NULL : op) || !opens_both(o, &in, &out) || !check_both(o))
        return operation_fail(o);
    return operation_perform(o);
}
