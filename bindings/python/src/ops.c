/*
 * The ops of reductions: names, and muster.Op.
 *
 * Each operation that reduces by a Python function makes an op of C of its own, which knows the operation. So
 * when the function raises, that operation keeps the exception, and its group is broken before what was not
 * combined reaches another rank. The function gets copies of the elements, since it may keep its arguments.
 */
#include "bindings/python/src/ops.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "bindings/python/src/combining.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/operation.h"

static const char *const names[MUSTER_OP_COUNT] = {
    [MUSTER_SUM] = "sum",       [MUSTER_PROD] = "prod",     [MUSTER_MAX] = "max", [MUSTER_MIN] = "min",
    [MUSTER_AVG] = "avg",       [MUSTER_BAND] = "band",     [MUSTER_BOR] = "bor", [MUSTER_BXOR] = "bxor",
    [MUSTER_MAXLOC] = "maxloc", [MUSTER_MINLOC] = "minloc",
};

/* ---- calling the function ---- */

static _Atomic bool interpreter_ends;
static _Atomic int arriving; /* threads that are about to take the interpreter's lock in `combine` */

/* acc = function(acc, next), by muster._ops. */
static bool apply(const operation *operation, void *acc, const void *next, size_t bytes, const char *dtype)
{
    PyObject *to = PyByteArray_FromStringAndSize(acc, (Py_ssize_t)bytes);
    PyObject *from = PyBytes_FromStringAndSize(next, (Py_ssize_t)bytes);
    PyObject *done = to && from ? PyObject_CallFunction(state_of_module()->combine, "OOOs",
                                                        operation->function, to, from, dtype)
                                : NULL;

    if (done)
        memcpy(acc, PyByteArray_AsString(to), bytes);
    Py_XDECREF(done);
    Py_XDECREF(from);
    Py_XDECREF(to);
    return done != NULL;
}

/* Keeps what the function has raised, and tells the other ranks, whose results would be made of it. */
static void fail(operation *operation)
{
    operation->error = take_exception();
    PyObject *said = PyUnicode_FromFormat("the operation '%s' raised %R",
                                          PyBytes_AsString(operation->op_name), operation->error);
    PyObject *bytes = said ? PyUnicode_AsUTF8String(said) : NULL;
    PyErr_Clear();
    muster_group_abort(operation->group, bytes ? PyBytes_AsString(bytes) : "an operation failed");
    Py_XDECREF(said);
    Py_XDECREF(bytes);
}

static void combine_locked(operation *operation, void *acc, const void *next, size_t bytes, const char *dtype)
{
    PyGILState_STATE held = PyGILState_Ensure();
    arriving--;
    PyObject *before = take_exception(); /* this may be a tick of a wait that a signal ends */
    combining_begin();
    if (!apply(operation, acc, next, bytes, dtype))
        fail(operation);
    combining_end();
    if (before)
        raise_again(before);
    Py_XDECREF(before);
    PyGILState_Release(held);
}

/* Whether this is muster's own thread, and nobody runs functions for it any more. */
static bool is_too_late(void)
{
    return interpreter_ends && !PyGILState_GetThisThreadState();
}

static void combine(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    operation *operation = arg;

    if (operation->error) /* once is enough: the group is broken */
        return;
    arriving++; /* before the check: python_end_ops sets what is checked before it reads this */
    if (is_too_late()) {
        arriving--;
        muster_group_abort(operation->group, "the Python program has ended before its operation was over");
        return;
    }
    combine_locked(operation, acc, next, count * muster_dtype_size(dtype), muster_dtype_name(dtype));
}

/* ---- taking ops ---- */

static bool take_name(PyObject *name, muster_op *op)
{
    for (int i = 0; PyUnicode_Check(name) && i < MUSTER_OP_COUNT; i++) {
        if (PyUnicode_CompareWithASCIIString(name, names[i]) != 0)
            continue;
        *op = (muster_op)i;
        return true;
    }
    PyErr_Format(PyExc_ValueError,
                 "op: %R is none; expected 'sum', 'prod', 'max', 'min', 'avg', 'band', 'bor', 'bxor', "
                 "'maxloc' or 'minloc', or a muster.Op",
                 name);
    return false;
}

/* Of a muster.Op: a function and its name, or a number that C has given. */
static bool take_made(PyObject *made, operation *operation)
{
    PyObject *number = PyObject_GetAttrString(made, "_number");

    if (number && number != Py_None) {
        operation->op = (muster_op)PyLong_AsLong(number);
        operation->op_name = Py_NewRef(made); /* whose number it is: freed with it */
    } else if (number) {
        operation->function = PyObject_GetAttrString(made, "_function");
        operation->op_name = PyObject_GetAttrString(made, "_name");
    }
    Py_XDECREF(number);
    return !PyErr_Occurred();
}

bool operation_takes_op(operation *operation, PyObject *op)
{
    if (!op)
        return true;
    return (PyObject *)Py_TYPE(op) == state_of_module()->op_type ? take_made(op, operation)
                                                                 : take_name(op, &operation->op);
}

muster_status operation_makes_op(operation *operation)
{
    if (!operation->function)
        return MUSTER_OK;
    return muster_op_create(PyBytes_AsString(operation->op_name), combine, operation, true, &operation->op);
}

void operation_frees_op(operation *operation)
{
    if (operation->function)
        muster_op_free(operation->op); /* one that has been started goes on with it */
}

PyObject *python_end_ops(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    interpreter_ends = true;
    while (arriving) { /* a thread that got the interpreter's lock no more would hold muster's for ever */
        Py_BEGIN_ALLOW_THREADS
        sched_yield();
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

static void forget_other_threads(void)
{
    arriving = 0;
}

PyObject *python_use_ops(PyObject *module, PyObject *args)
{
    module_state *state = state_of_module();

    (void)module;
    pthread_atfork(NULL, NULL, forget_other_threads);
    if (!PyArg_ParseTuple(args, "OO:use_ops", &state->op_type, &state->combine))
        return NULL;
    Py_INCREF(state->op_type);
    Py_INCREF(state->combine);
    Py_RETURN_NONE;
}
