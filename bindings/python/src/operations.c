/*
 * The collectives with one count for all ranks, and barrier; blocking and started.
 *
 * Each reads the elements zero-copy, by the buffer protocol or DLPack; puts the result where `out` says,
 * or into a new array of x's kind, which muster._arrays makes; and waits without the interpreter's lock.
 */
#include "bindings/python/src/operations.h"

#include "bindings/python/src/function.h"
#include "bindings/python/src/operation.h"
#include "bindings/python/src/ops.h"
#include "bindings/python/src/perform.h"
#include "bindings/python/src/shapes.h"

/* ---- arguments ---- */

static bool take_keyword(call *call, PyObject *name, PyObject *value, bool has_op, bool has_root)
{
    struct {
        const char *name;
        PyObject **place;
        bool known;
    } rows[] = {
        { "group", &call->group, true }, { "out", &call->out, true },       { "dtype", &call->dtype, true },
        { "stream", NULL, true },        { "root", &call->root, has_root }, { "op", &call->op, has_op },
        { "x", &call->x, !call->x },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].known || PyUnicode_CompareWithASCIIString(name, rows[i].name) != 0)
            continue;
        if (rows[i].place) /* there are no streams here: MLX's argument is taken, and nothing else */
            *rows[i].place = value == Py_None && rows[i].place != &call->x ? NULL : value;
        return true;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", call->name, name);
    return false;
}

/* x, and root where there is one, by position or by name; the rest by name. */
static bool take_arguments(call *call, PyObject *const *args, Py_ssize_t count, PyObject *keywords,
                           bool has_op, bool has_root)
{
    Py_ssize_t named = keywords ? PyTuple_Size(keywords) : 0;

    if (count > 1 + has_root) {
        PyErr_Format(PyExc_TypeError, "%s() takes %d positional argument%s, not %zd", call->name,
                     1 + has_root, has_root ? "s" : "", count);
        return false;
    }
    if (count > 0)
        call->x = args[0];
    if (count > 1)
        call->root = args[1];
    for (Py_ssize_t i = 0; i < named; i++)
        if (!take_keyword(call, PyTuple_GetItem(keywords, i), args[count + i], has_op, has_root))
            return false;
    if (!call->x)
        PyErr_Format(PyExc_TypeError, "%s() needs x, the array", call->name);
    return call->x != NULL;
}

static bool takes_root(operation *operation, PyObject *root)
{
    long number = root ? PyLong_AsLong(root) : 0;
    int size = muster_group_size(operation->group);

    if (number == -1 && PyErr_Occurred())
        return false;
    operation->root = (int)number;
    if (number >= 0 && number < size)
        return true;
    PyErr_Format(PyExc_ValueError, "Invalid root=%ld for a group of size %d", number, size);
    return false;
}

/* ---- collectives ---- */

typedef enum kind {
    ALL_REDUCE,
    REDUCE,
    BROADCAST,
    ALL_GATHER,
    GATHER,
    REDUCE_SCATTER,
    SCATTER,
    ALL_TO_ALL,
    SCAN,
    EXSCAN
} kind;

static const shape_rule rules[] = { AS_X,      AS_X,      AS_X,      GATHERED, GATHERED,
                                    SCATTERED, SCATTERED, EXCHANGED, AS_X,     AS_X };

static muster_status run(operation *o, muster_request *request)
{
    const void *in = o->has_in ? o->in.data : NULL;
    void *out = o->has_out ? o->out.data : NULL;

    switch ((kind)o->kind) {
    case ALL_REDUCE:
        return EITHER(muster_all_reduce, in, out, o->count, o->dtype, o->op);
    case REDUCE:
        return EITHER(muster_reduce, in, out, o->count, o->dtype, o->op, o->root);
    case BROADCAST:
        return EITHER(muster_broadcast, in, out, o->count, o->dtype, o->root);
    case ALL_GATHER:
        return EITHER(muster_all_gather, in, out, o->count, o->dtype);
    case GATHER:
        return EITHER(muster_gather, in, out, o->count, o->dtype, o->root);
    case REDUCE_SCATTER:
        return EITHER(muster_reduce_scatter, in, out, o->count, o->dtype, o->op);
    case SCATTER:
        return EITHER(muster_scatter, in, out, o->count, o->dtype, o->root);
    case SCAN:
        return EITHER(muster_scan, in, out, o->count, o->dtype, o->op);
    case EXSCAN:
        return EITHER(muster_exscan, in, out, o->count, o->dtype, o->op);
    default:
        return EITHER(muster_all_to_all, in, out, o->count, o->dtype);
    }
}

/* Reduce and gather have a result at the root only, exscan on all ranks but 0. */
static bool has_result(const operation *operation)
{
    int rank = muster_group_rank(operation->group);

    if (operation->kind == REDUCE || operation->kind == GATHER)
        return rank == operation->root;
    return operation->kind != EXSCAN || rank > 0;
}

/* Counts of C are those of one rank. */
static void count_per_rank(operation *operation)
{
    if (rules[operation->kind] == SCATTERED || rules[operation->kind] == EXCHANGED)
        operation->count /= (size_t)muster_group_size(operation->group);
}

static PyObject *perform_with_input(operation *operation, const call *call)
{
    if (!operation_reads(operation, call->x, call->dtype) ||
        (has_result(operation) && !operation_writes_shape(operation, call, rules[operation->kind])))
        return operation_fail(operation);
    count_per_rank(operation);
    return operation_perform(operation);
}

/* Only the root has all of it: the others say where their part goes. */
static PyObject *perform_part_of_scatter(operation *operation, const call *call)
{
    if (!call->out)
        PyErr_Format(PyExc_ValueError, "%s(): ranks that are not the root give out=", call->name);
    if (!call->out || !operation_writes(operation, call->out, call->dtype))
        return operation_fail(operation);
    operation->result = Py_NewRef(call->out);
    return operation_perform(operation);
}

static PyObject *collective(kind kind, muster_op op, const call *call)
{
    operation place, *o = operation_begin(&place, call->name, call->group, call->started);

    if (!o)
        return NULL;
    o->call = run;
    o->kind = kind;
    o->op = op;
    o->reduces =
        kind == ALL_REDUCE || kind == REDUCE || kind == REDUCE_SCATTER || kind == SCAN || kind == EXSCAN;
    if (!operation_takes_op(o, call->op) || !takes_root(o, call->root))
        return operation_fail(o);
    if (kind == SCATTER && muster_group_rank(o->group) != o->root)
        return perform_part_of_scatter(o, call);
    if (muster_group_size(o->group) > 1 || call->out || kind == EXSCAN)
        return perform_with_input(o, call);
    o->result = Py_NewRef(call->x); /* MLX: x itself, whatever it is */
    return operation_done(o);
}

#define FUNCTION(function, is_started, kind, op, has_op, has_root)                                           \
    FAST_FUNCTION(function)                                                                                  \
    {                                                                                                        \
        call call = { .name = #function, .started = is_started };                                            \
        (void)module;                                                                                        \
        return take_arguments(&call, args, count, keywords, has_op, has_root) ? collective(kind, op, &call)  \
                                                                              : NULL;                        \
    }
#define COLLECTIVE(function, kind, op, has_op, has_root)                                                     \
    FUNCTION(function, false, kind, op, has_op, has_root)                                                    \
    FUNCTION(function##_start, true, kind, op, has_op, has_root)

COLLECTIVE(all_sum, ALL_REDUCE, MUSTER_SUM, false, false)
COLLECTIVE(all_max, ALL_REDUCE, MUSTER_MAX, false, false)
COLLECTIVE(all_min, ALL_REDUCE, MUSTER_MIN, false, false)
COLLECTIVE(all_reduce, ALL_REDUCE, MUSTER_SUM, true, false)
COLLECTIVE(all_gather, ALL_GATHER, MUSTER_SUM, false, false)
COLLECTIVE(sum_scatter, REDUCE_SCATTER, MUSTER_SUM, false, false)
COLLECTIVE(reduce_scatter, REDUCE_SCATTER, MUSTER_SUM, true, false)
COLLECTIVE(all_to_all, ALL_TO_ALL, MUSTER_SUM, false, false)
COLLECTIVE(scan, SCAN, MUSTER_SUM, true, false)
COLLECTIVE(exscan, EXSCAN, MUSTER_SUM, true, false)
COLLECTIVE(broadcast, BROADCAST, MUSTER_SUM, false, true)
COLLECTIVE(reduce, REDUCE, MUSTER_SUM, true, true)
COLLECTIVE(gather, GATHER, MUSTER_SUM, false, true)
COLLECTIVE(scatter, SCATTER, MUSTER_SUM, false, true)

/* ---- barrier ---- */

static muster_status run_barrier(operation *o, muster_request *request)
{
    return request ? muster_barrier_start(o->group, request) : muster_barrier(o->group);
}

static PyObject *meet(PyObject *args, PyObject *keywords, const char *name, bool started)
{
    static char *names[] = { "group", NULL };
    PyObject *group = NULL;
    operation place, *o;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, started ? "|$O:barrier_start" : "|$O:barrier", names,
                                     &group) ||
        !(o = operation_begin(&place, name, group, started)))
        return NULL;
    o->call = run_barrier;
    return operation_perform(o);
}

SLOW_FUNCTION(barrier)
{
    (void)module;
    return meet(args, keywords, "barrier", false);
}

SLOW_FUNCTION(barrier_start)
{
    (void)module;
    return meet(args, keywords, "barrier_start", true);
}
