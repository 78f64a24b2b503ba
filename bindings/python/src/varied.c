/*
 * Collectives with a count for each rank, of binding.h: the part of muster._varied that runs without the
 * interpreter's lock. Counts are elements here, and each buffer has exactly as many as its counts say.
 */
#include <string.h>

#include "bindings/python/src/binding.h"

enum kind { ALL_GATHERV, GATHERV, SCATTERV, ALL_TO_ALLV, REDUCE_SCATTERV, KINDS };

static const char *const names[] = { "all_gatherv", "gatherv", "scatterv", "all_to_allv", "reduce_scatterv" };

/* A buffer, and its counts by rank; NULL: it is one block. */
typedef struct side {
    view view;
    bool open;
    size_t *counts;
} side;

typedef struct call {
    enum kind kind;
    muster_group *group;
    muster_op op;
    int root;
    side in, out;
} call;

static bool kind_of(const char *name, enum kind *kind)
{
    for (int i = 0; i < KINDS; i++)
        if (strcmp(name, names[i]) == 0)
            return *kind = (enum kind)i, true;
    PyErr_Format(PyExc_ValueError, "%s is no collective with a count for each rank", name);
    return false;
}

/* Reads the counts, which must be what the buffer has together. */
static bool read_counts(const call *call, PyObject *numbers, side *side)
{
    int size = muster_group_size(call->group);
    size_t total = 0;

    if (PySequence_Size(numbers) != size) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ValueError, "%s(): %zd counts for a group of size %d", names[call->kind],
                         PySequence_Size(numbers), size);
        return false;
    }
    side->counts = PyMem_Calloc((size_t)size, sizeof *side->counts);
    if (!side->counts)
        return PyErr_NoMemory(), false;
    for (int rank = 0; rank < size; rank++) {
        PyObject *number = PySequence_GetItem(numbers, rank);

        side->counts[rank] = number ? PyLong_AsSize_t(number) : 0;
        Py_XDECREF(number);
        if (PyErr_Occurred())
            return false;
        if (__builtin_add_overflow(total, side->counts[rank], &total))
            return PyErr_SetString(PyExc_OverflowError, "the counts are more than memory can have"), false;
    }
    if (!side->open || side->view.count == total)
        return true;
    PyErr_Format(PyExc_ValueError, "%s(): the counts are %zu elements together, and the array has %zu",
                 names[call->kind], total, side->view.count);
    return false;
}

static bool open_side(const call *call, PyObject *array, PyObject *numbers, PyObject *dtype, bool writable,
                      side *side)
{
    if (array != Py_None) {
        int opened = view_open(array, writable, dtype, &side->view);

        if (opened == 0)
            PyErr_Format(PyExc_TypeError, "%s(): %s: expected an array in C order", names[call->kind],
                         writable ? "out cannot be written to where it lies"
                                  : "x cannot be read where it lies");
        if (opened != 1)
            return false;
        side->open = true;
    }
    return numbers == Py_None || read_counts(call, numbers, side);
}

static void close_side(side *side)
{
    if (side->open)
        view_close(&side->view);
    PyMem_Free(side->counts);
}

static bool check_sides(const call *call)
{
    if (!call->in.open || !call->out.open || call->in.view.dtype == call->out.view.dtype) {
        size_t own = call->in.counts ? call->in.counts[muster_group_rank(call->group)] : 0;

        if (call->kind != REDUCE_SCATTERV || call->out.view.count == own)
            return true;
        PyErr_Format(PyExc_ValueError, "reduce_scatterv(): out has %zu elements; expected %zu",
                     call->out.view.count, own);
        return false;
    }
    PyErr_Format(PyExc_ValueError, "%s(): x is of %s and out of %s", names[call->kind],
                 muster_dtype_name(call->in.view.dtype), muster_dtype_name(call->out.view.dtype));
    return false;
}

static muster_status run(const call *call)
{
    const side *in = &call->in, *out = &call->out;
    muster_dtype dtype = in->open ? in->view.dtype : out->view.dtype;

    switch (call->kind) {
    case ALL_GATHERV:
        return muster_all_gatherv(in->view.data, in->view.count, out->view.data, out->counts, NULL, dtype,
                                  call->group);
    case GATHERV:
        return muster_gatherv(in->view.data, in->view.count, out->view.data, out->counts, NULL, dtype,
                              call->root, call->group);
    case SCATTERV:
        return muster_scatterv(in->view.data, in->counts, NULL, out->view.data, out->view.count, dtype,
                               call->root, call->group);
    case ALL_TO_ALLV:
        return muster_all_to_allv(in->view.data, in->counts, NULL, out->view.data, out->counts, NULL, dtype,
                                  call->group);
    default:
        return muster_reduce_scatterv(in->view.data, in->counts, out->view.data, dtype, call->op,
                                      call->group);
    }
}

/* varied(name, x, in_counts, out, out_counts, root, op, group, dtype): x and its counts, and out and its, are
 * None where the call has none. */
PyObject *python_varied(PyObject *module, PyObject *args)
{
    PyObject *x, *in_counts, *out, *out_counts, *op, *group, *dtype;
    muster_status status = MUSTER_ERR_INVALID;
    call call = { .op = MUSTER_SUM };
    const char *name;

    (void)module;
    if (!PyArg_ParseTuple(args, "sOOOOiOOO:varied", &name, &x, &in_counts, &out, &out_counts, &call.root, &op,
                          &group, &dtype) ||
        !kind_of(name, &call.kind) || !(call.group = group_of(group)) ||
        (op != Py_None && !op_of_name(op, &call.op)))
        return NULL;
    bool opened = open_side(&call, x, in_counts, dtype == Py_None ? NULL : dtype, false, &call.in) &&
                  open_side(&call, out, out_counts, dtype == Py_None ? NULL : dtype, true, &call.out) &&
                  check_sides(&call);
    if (opened) {
        Py_BEGIN_ALLOW_THREADS
        status = run(&call);
        Py_END_ALLOW_THREADS
    }
    close_side(&call.in);
    close_side(&call.out);
    if (!opened)
        return NULL;
    return status == MUSTER_OK ? Py_NewRef(out) : raise_status(status);
}
