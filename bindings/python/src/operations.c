/*
 * The operations on elements, of binding.h.
 *
 * Each takes the elements where they lie, by the buffer protocol or DLPack; puts the result where `out` says,
 * or into a new array of x's kind, which muster._arrays makes; and waits without the interpreter's lock.
 */
#include <string.h>

#include "bindings/python/src/binding.h"

/* What a call was given; NULL: not given. */
typedef struct call {
    const char *name;
    PyObject *x, *group, *out, *dtype, *op, *root;
} call;

static bool take_keyword(call *call, PyObject *name, PyObject *value, bool has_op, bool has_root)
{
    struct {
        const char *name;
        PyObject **place;
        bool known;
    } rows[] = {
        { "group", &call->group, true }, { "out", &call->out, true },       { "dtype", &call->dtype, true },
        { "stream", NULL, true },        { "root", &call->root, has_root }, { "op", &call->op, has_op },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].known || PyUnicode_CompareWithASCIIString(name, rows[i].name) != 0)
            continue;
        if (rows[i].place) /* there are no streams here: MLX's argument is taken, and nothing else */
            *rows[i].place = value == Py_None ? NULL : value;
        return true;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", call->name, name);
    return false;
}

/* x, and root where there is one, by position; the rest by name. */
static bool take_arguments(call *call, PyObject *const *args, Py_ssize_t count, PyObject *keywords,
                           bool has_op, bool has_root)
{
    Py_ssize_t named = keywords ? PyTuple_Size(keywords) : 0;

    if (count < 1 || count > 1 + has_root) {
        PyErr_Format(PyExc_TypeError, "%s() takes %d positional argument%s, not %zd", call->name,
                     1 + has_root, has_root ? "s" : "", count);
        return false;
    }
    call->x = args[0];
    if (count > 1)
        call->root = args[1];
    for (Py_ssize_t i = 0; i < named; i++)
        if (!take_keyword(call, PyTuple_GetItem(keywords, i), args[count + i], has_op, has_root))
            return false;
    return true;
}

/* Opens x; what is no array in C order yet is made one, a reference to which is in *kept. */
static bool open_input(const call *call, PyObject **kept, view *in)
{
    *kept = Py_NewRef(call->x);
    int opened = view_open(call->x, false, call->dtype, in);
    if (opened == 0) {
        Py_DECREF(*kept);
        *kept = PyObject_CallFunctionObjArgs(state_of_module()->as_array, call->x, NULL);
        opened = *kept ? view_open(*kept, false, call->dtype, in) : -1;
        if (opened == 0)
            PyErr_Format(PyExc_TypeError, "%s(): %R has no elements that can be read where they lie",
                         call->name, call->x);
    }
    if (opened == 1)
        return true;
    Py_CLEAR(*kept);
    return false;
}

/* ---- shapes, as MLX has them ---- */

typedef enum shape_rule { AS_X, GATHERED, SCATTERED, EXCHANGED } shape_rule;

/* "(2,3)", as MLX writes it. */
static void spell_shape(const view *in, char *text, size_t bytes)
{
    size_t used = 0;

    for (int i = 0; i < in->dimensions && used < bytes; i++)
        used += (size_t)PyOS_snprintf(text + used, bytes - used, "%s%zd", i ? "," : "(", in->shape[i]);
    if (used < bytes)
        PyOS_snprintf(text + used, bytes - used, "%s)", in->dimensions ? "" : "(");
}

/* Rows are not cut, where there are rows. */
static bool check_rows(const call *call, const view *in, shape_rule rule, int size)
{
    bool has_rows = in->dimensions > 1 || (rule == SCATTERED && !call->out);

    if ((rule != SCATTERED && rule != EXCHANGED) || !has_rows)
        return true;
    if (in->dimensions > 0 && in->shape[0] % size == 0)
        return true;
    char text[200];

    spell_shape(in, text, sizeof text);
    PyErr_Format(PyExc_ValueError,
                 "[%s] Invalid shape=%s for a group of size %d. The first dimension (axis 0) must be "
                 "divisible by the group size and input must have at least one.",
                 call->name, text, size);
    return false;
}

static Py_ssize_t first_of_result(const view *in, shape_rule rule, int size)
{
    Py_ssize_t first = in->dimensions ? in->shape[0] : 1;

    return rule == GATHERED ? first * size : rule == SCATTERED ? first / size : first;
}

static PyObject *shape_of_result(const view *in, shape_rule rule, int size)
{
    int dimensions = rule == GATHERED && in->dimensions == 0 ? 1 : in->dimensions;
    PyObject *shape = PyTuple_New(dimensions);

    for (int i = 0; shape && i < dimensions; i++)
        PyTuple_SetItem(shape, i,
                        PyLong_FromSsize_t(i == 0 ? first_of_result(in, rule, size) : in->shape[i]));
    return shape;
}

/* Opens `out`, or a new array of the shape that the rule says. */
static bool open_output(const call *call, PyObject *like, const view *in, shape_rule rule, int size,
                        PyObject **result, view *out)
{
    if (call->out) {
        *result = Py_NewRef(call->out);
    } else {
        PyObject *shape = shape_of_result(in, rule, size);

        *result = shape ? PyObject_CallFunctionObjArgs(state_of_module()->result, like, shape, NULL) : NULL;
        Py_XDECREF(shape);
    }
    if (*result && view_open(*result, true, call->dtype, out) == 1)
        return true;
    if (*result && !PyErr_Occurred())
        PyErr_Format(PyExc_TypeError,
                     "%s(): out cannot be written to where it lies; expected an array in C order",
                     call->name);
    Py_CLEAR(*result);
    return false;
}

/* Of one row after the other it may be, or of the shape that the result has; rows of another length are a
 * mistake. */
static bool has_shape_of_result(const view *in, const view *out, shape_rule rule, int size)
{
    if (in->dimensions < 2 || out->dimensions != in->dimensions)
        return true;
    for (int i = 0; i < in->dimensions; i++)
        if (out->shape[i] != (i == 0 ? first_of_result(in, rule, size) : in->shape[i]))
            return false;
    return true;
}

static bool check_output(const call *call, const view *in, const view *out, shape_rule rule, int size)
{
    size_t wanted = rule == GATHERED    ? in->count * (size_t)size
                    : rule == SCATTERED ? in->count / (size_t)size
                                        : in->count;

    if (out->dtype == in->dtype && out->count == wanted &&
        (rule != SCATTERED || in->count % (size_t)size == 0)) {
        if (has_shape_of_result(in, out, rule, size))
            return true;
        PyObject *wanted = shape_of_result(in, rule, size);
        char text[200];

        spell_shape(out, text, sizeof text);
        if (wanted)
            PyErr_Format(PyExc_ValueError, "%s(): out has shape %s; expected %R", call->name, text, wanted);
        Py_XDECREF(wanted);
        return false;
    }
    PyErr_Format(PyExc_ValueError, "%s(): out has %zu elements of %s; expected %zu of %s", call->name,
                 out->count, muster_dtype_name(out->dtype), wanted, muster_dtype_name(in->dtype));
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

static muster_status run(kind kind, const void *in, void *out, size_t count, muster_dtype dtype, muster_op op,
                         int root, muster_group *group)
{
    size_t size = (size_t)muster_group_size(group);

    switch (kind) {
    case ALL_REDUCE:
        return muster_all_reduce(in, out, count, dtype, op, group);
    case REDUCE:
        return muster_reduce(in, out, count, dtype, op, root, group);
    case BROADCAST:
        return muster_broadcast(in, out, count, dtype, root, group);
    case ALL_GATHER:
        return muster_all_gather(in, out, count, dtype, group);
    case GATHER:
        return muster_gather(in, out, count, dtype, root, group);
    case REDUCE_SCATTER:
        return muster_reduce_scatter(in, out, count / size, dtype, op, group);
    case SCATTER:
        return muster_scatter(in, out, count / size, dtype, root, group);
    case SCAN:
        return muster_scan(in, out, count, dtype, op, group);
    case EXSCAN:
        return muster_exscan(in, out, count, dtype, op, group);
    default:
        return muster_all_to_all(in, out, count / size, dtype, group);
    }
}

bool op_of_name(PyObject *name, muster_op *op)
{
    static const char *const names[MUSTER_OP_COUNT] = {
        [MUSTER_SUM] = "sum",       [MUSTER_PROD] = "prod",     [MUSTER_MAX] = "max", [MUSTER_MIN] = "min",
        [MUSTER_AVG] = "avg",       [MUSTER_BAND] = "band",     [MUSTER_BOR] = "bor", [MUSTER_BXOR] = "bxor",
        [MUSTER_MAXLOC] = "maxloc", [MUSTER_MINLOC] = "minloc",
    };

    for (int i = 0; name && PyUnicode_Check(name) && i < MUSTER_OP_COUNT; i++) {
        if (PyUnicode_CompareWithASCIIString(name, names[i]) != 0)
            continue;
        *op = (muster_op)i;
        return true;
    }
    if (!name)
        return true;
    PyErr_Format(PyExc_ValueError,
                 "op: %R is none; expected 'sum', 'prod', 'max', 'min', 'avg', 'band', 'bor', 'bxor', "
                 "'maxloc' or 'minloc'",
                 name);
    return false;
}

static bool root_of(const call *call, const muster_group *group, int *root)
{
    *root = call->root ? (int)PyLong_AsLong(call->root) : 0;
    if (*root == -1 && PyErr_Occurred())
        return false;
    if (*root >= 0 && *root < muster_group_size(group))
        return true;
    PyErr_Format(PyExc_ValueError, "Invalid root=%d for a group of size %d", *root, muster_group_size(group));
    return false;
}

static muster_status run_without_lock(kind kind, const view *in, view *out, muster_op op, int root,
                                      muster_group *group)
{
    muster_status status;

    Py_BEGIN_ALLOW_THREADS
    status = run(kind, in->data, out ? out->data : NULL, in->count, in->dtype, op, root, group);
    Py_END_ALLOW_THREADS
    return status;
}

static bool has_result(kind kind, int rank, int root)
{
    return kind == EXSCAN ? rank > 0 : (kind != REDUCE && kind != GATHER) || rank == root;
}

/* With the input open. Reduce and gather have a result at the root only, exscan on all ranks but 0. */
static PyObject *finish(kind kind, const call *call, PyObject *like, const view *in, muster_op op, int root,
                        muster_group *group)
{
    int size = muster_group_size(group);
    PyObject *result;
    view out;

    if (!has_result(kind, muster_group_rank(group), root)) {
        muster_status status = run_without_lock(kind, in, NULL, op, root, group);

        return status == MUSTER_OK ? Py_NewRef(Py_None) : raise_status(status);
    }
    if (kind == ALL_TO_ALL && in->count % (size_t)size != 0)
        return PyErr_Format(PyExc_ValueError,
                            "all_to_all(): %zu elements cannot be split evenly among %d ranks", in->count,
                            size);
    if (!check_rows(call, in, rules[kind], size) ||
        !open_output(call, like, in, rules[kind], size, &result, &out))
        return NULL;
    if (check_output(call, in, &out, rules[kind], size)) {
        muster_status status = run_without_lock(kind, in, &out, op, root, group);

        if (status != MUSTER_OK)
            raise_status(status);
    }
    view_close(&out);
    if (PyErr_Occurred())
        Py_CLEAR(result);
    return result;
}

static PyObject *collective(kind kind, muster_op op, const call *call)
{
    muster_group *group = group_of(call->group);
    PyObject *like;
    int root = 0;
    view in;

    if (!group || !op_of_name(call->op, &op) || !root_of(call, group, &root))
        return NULL;
    if (muster_group_size(group) == 1 && !call->out && kind != EXSCAN) /* MLX: x itself, whatever it is */
        return Py_NewRef(call->x);
    if (!open_input(call, &like, &in))
        return NULL;
    PyObject *result = finish(kind, call, like, &in, op, root, group);
    view_close(&in);
    Py_DECREF(like);
    return result;
}

#define COLLECTIVE(function, kind, op, has_op, has_root)                                                     \
    static PyObject *function(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords) \
    {                                                                                                        \
        call call = { .name = #function };                                                                   \
        (void)module;                                                                                        \
        return take_arguments(&call, args, count, keywords, has_op, has_root) ? collective(kind, op, &call)  \
                                                                              : NULL;                        \
    }

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

/* Only the root has all of it: the others say where their part goes. */
static PyObject *scatter(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    call call = { .name = "scatter" };
    muster_group *group;
    int root;
    view out;

    (void)module;
    if (!take_arguments(&call, args, count, keywords, false, true) || !(group = group_of(call.group)) ||
        !root_of(&call, group, &root))
        return NULL;
    if (muster_group_rank(group) == root)
        return collective(SCATTER, MUSTER_SUM, &call);
    if (!call.out)
        return PyErr_Format(PyExc_ValueError, "scatter(): ranks that are not the root give out=");
    if (view_open(call.out, true, call.dtype, &out) != 1)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "scatter(): out cannot be written to");
    muster_status status;
    Py_BEGIN_ALLOW_THREADS
    status = muster_scatter(NULL, out.data, out.count, out.dtype, root, group);
    Py_END_ALLOW_THREADS
    view_close(&out);
    return status == MUSTER_OK ? Py_NewRef(call.out) : raise_status(status);
}

static PyObject *barrier(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "group", NULL };
    PyObject *object = NULL;
    muster_group *group;
    muster_status status;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$O:barrier", names, &object) ||
        !(group = group_of(object)))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_barrier(group);
    Py_END_ALLOW_THREADS
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}

/* ---- messages ---- */

static bool check_peer(const muster_group *group, const char *verb, const char *what, int peer)
{
    if (muster_group_size(group) == 1)
        PyErr_Format(PyExc_ValueError, "Cannot %s a singleton group", verb);
    else if (peer < 0 || peer >= muster_group_size(group))
        PyErr_Format(PyExc_ValueError, "Invalid %s=%d for a group of size %d", what, peer,
                     muster_group_size(group));
    else
        return true;
    return false;
}

static PyObject *send(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "x", "dst", "group", "stream", "dtype", NULL };
    call call = { .name = "send" };
    PyObject *stream, *kept;
    muster_group *group;
    muster_status status;
    int dst;
    view in;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "Oi|$OOO:send", names, &call.x, &dst, &call.group,
                                     &stream, &call.dtype) ||
        !(group = group_of(call.group)) || !check_peer(group, "send to", "destination", dst) ||
        !open_input(&call, &kept, &in))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_send(in.data, in.count, in.dtype, dst, 0, group);
    Py_END_ALLOW_THREADS
    view_close(&in);
    Py_DECREF(kept);
    return status == MUSTER_OK ? Py_NewRef(call.x) : raise_status(status);
}

/* Receives into an array, which it returns and of which it takes the reference. */
static PyObject *receive_into(PyObject *array, PyObject *dtype, int src, muster_group *group)
{
    muster_status status;
    view out;

    if (!array)
        return NULL;
    if (view_open(array, true, dtype, &out) != 1) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "recv(): out cannot be written to where it lies");
        Py_DECREF(array);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = muster_recv(out.data, out.count, out.dtype, src, 0, group, NULL);
    Py_END_ALLOW_THREADS
    view_close(&out);
    if (status == MUSTER_OK)
        return array;
    Py_DECREF(array);
    return raise_status(status);
}

/* Into an array that muster.recv has made, or was given. */
static PyObject *recv_into(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "out", "src", "group", "dtype", NULL };
    PyObject *array, *object = NULL, *dtype = NULL;
    muster_group *group;
    int src;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "Oi|$OO:recv_into", names, &array, &src, &object,
                                     &dtype) ||
        !(group = group_of(object)) || !check_peer(group, "recv from", "source", src))
        return NULL;
    return receive_into(Py_NewRef(array), dtype, src, group);
}

#define FAST(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL | METH_KEYWORDS
#define SLOW(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS
#define LIKE_X "\n\nThe result is a new array of x's kind, or out, where it is given."

PyMethodDef python_operations[] = {
    { "all_sum", FAST(all_sum), "all_sum(x, *, group=None, out=None)\n\nThe sum of every rank's x." LIKE_X },
    { "all_max", FAST(all_max),
      "all_max(x, *, group=None, out=None)\n\nThe largest of every rank's x." LIKE_X },
    { "all_min", FAST(all_min),
      "all_min(x, *, group=None, out=None)\n\nThe smallest of every rank's x." LIKE_X },
    { "all_reduce", FAST(all_reduce),
      "all_reduce(x, *, op='sum', group=None, out=None)\n\nop: sum, prod, max, min, avg (of floats), band, "
      "bor, bxor (of integers),\nmaxloc or minloc (of pairs: a dtype of a value and an index)." LIKE_X },
    { "all_gather", FAST(all_gather),
      "all_gather(x, *, group=None, out=None)\n\nEvery rank's x, one after the other on axis 0." LIKE_X },
    { "sum_scatter", FAST(sum_scatter),
      "sum_scatter(x, *, group=None, out=None)\n\nThis rank's part, on axis 0, of the sum of every rank's "
      "x." LIKE_X },
    { "reduce_scatter", FAST(reduce_scatter),
      "reduce_scatter(x, *, op='sum', group=None, out=None)\n\nsum_scatter by op." LIKE_X },
    { "all_to_all", FAST(all_to_all),
      "all_to_all(x, *, group=None, out=None)\n\nPart r of x, on axis 0, goes to rank r." LIKE_X },
    { "scan", FAST(scan),
      "scan(x, *, op='sum', group=None, out=None)\n\nThe reduction of the x of all ranks up to this "
      "one." LIKE_X },
    { "exscan", FAST(exscan),
      "exscan(x, *, op='sum', group=None, out=None)\n\nThe reduction of the x of all ranks before this one; "
      "None on rank\n0, where out is left as it is." },
    { "broadcast", FAST(broadcast), "broadcast(x, root=0, *, group=None, out=None)\n\nThe root's x." LIKE_X },
    { "reduce", FAST(reduce),
      "reduce(x, root=0, *, op='sum', group=None, out=None)\n\nall_reduce at the root; None "
      "elsewhere." LIKE_X },
    { "gather", FAST(gather),
      "gather(x, root=0, *, group=None, out=None)\n\nall_gather at the root; None elsewhere." LIKE_X },
    { "scatter", FAST(scatter),
      "scatter(x, root=0, *, group=None, out=None)\n\nThis rank's part, on axis 0, of the root's x; other "
      "ranks "
      "give\nNone and out." },
    { "barrier", SLOW(barrier), "barrier(*, group=None)\n\nWaits until every rank has come." },
    { "send", SLOW(send), "send(x, dst, *, group=None)\n\nSends x, and returns it." },
    { "recv_into", SLOW(recv_into),
      "recv_into(out, src, *, group=None)\n\nReceives into out, and returns it." },
    { NULL, NULL, 0, NULL },
};
