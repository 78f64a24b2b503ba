/*
 * Operations on addresses: for muster.torch, which knows where a tensor's elements lie, and
 * looks after them until the call returns. Elements, roots and peers are checked by muster; addresses by
 * nobody.
 */
#include "bindings/python/src/raw.h"

#include "bindings/python/src/errors.h"
#include "bindings/python/src/group.h"
#include "bindings/python/src/log.h"
#include "bindings/python/src/world.h"

/* In the order that muster.torch numbers them by. */
typedef enum raw_call {
    RAW_ALL_REDUCE,
    RAW_REDUCE,
    RAW_BROADCAST,
    RAW_ALL_GATHER,
    RAW_GATHER,
    RAW_REDUCE_SCATTER,
    RAW_SCATTER,
    RAW_ALL_TO_ALL,
    RAW_BARRIER,
    RAW_SEND,
    RAW_RECV
} raw_call;

typedef struct raw_arguments {
    const void *in;
    void *out;
    size_t count; /* of all_gather and the like: per rank */
    muster_dtype dtype;
    muster_op op;
    int peer; /* or the root */
} raw_arguments;

static muster_status run(raw_call call, const raw_arguments *with, muster_group *group)
{
    switch (call) {
    case RAW_ALL_REDUCE:
        return muster_all_reduce(with->in, with->out, with->count, with->dtype, with->op, group);
    case RAW_REDUCE:
        return muster_reduce(with->in, with->out, with->count, with->dtype, with->op, with->peer, group);
    case RAW_BROADCAST:
        return muster_broadcast(with->in, with->out, with->count, with->dtype, with->peer, group);
    case RAW_ALL_GATHER:
        return muster_all_gather(with->in, with->out, with->count, with->dtype, group);
    case RAW_GATHER:
        return muster_gather(with->in, with->out, with->count, with->dtype, with->peer, group);
    case RAW_REDUCE_SCATTER:
        return muster_reduce_scatter(with->in, with->out, with->count, with->dtype, with->op, group);
    case RAW_SCATTER:
        return muster_scatter(with->in, with->out, with->count, with->dtype, with->peer, group);
    case RAW_ALL_TO_ALL:
        return muster_all_to_all(with->in, with->out, with->count, with->dtype, group);
    case RAW_BARRIER:
        return muster_barrier(group);
    case RAW_SEND:
        return muster_send(with->in, with->count, with->dtype, with->peer, 0, group);
    default:
        return muster_recv(with->out, with->count, with->dtype, with->peer, 0, group, NULL);
    }
}

PyObject *python_raw(PyObject *module, PyObject *args)
{
    unsigned long long in, out;
    int call, dtype, op, peer;
    Py_ssize_t count;
    PyObject *object;
    muster_group *group;
    muster_status status;

    (void)module;
    if (!PyArg_ParseTuple(args, "iOKKniii:raw", &call, &object, &in, &out, &count, &dtype, &op, &peer) ||
        !(group = group_of_argument(object)))
        return NULL;
    raw_arguments with = { (const void *)(uintptr_t)in, (void *)(uintptr_t)out, (size_t)count,
                           (muster_dtype)dtype,         (muster_op)op,          peer };
    Py_BEGIN_ALLOW_THREADS
    status = run((raw_call)call, &with, group);
    Py_END_ALLOW_THREADS
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}

/* ---- premultiplied sums ---- */

/* premul_sum(dtype, factor) -> op: the factor is an element, as bytes. */
PyObject *python_premul_sum(PyObject *module, PyObject *args)
{
    Py_buffer factor;
    muster_op op;
    int dtype;

    (void)module;
    if (!PyArg_ParseTuple(args, "iy*:premul_sum", &dtype, &factor))
        return NULL;
    bool fits = (size_t)factor.len == muster_dtype_size((muster_dtype)dtype);
    muster_status status =
        fits ? muster_op_create_premul_sum(factor.buf, (muster_dtype)dtype, &op) : MUSTER_ERR_INVALID;
    PyBuffer_Release(&factor);
    if (!fits)
        PyErr_SetString(PyExc_ValueError, "the factor is not one element of the dtype");
    else if (status != MUSTER_OK)
        return raise_status(status);
    return fits ? PyLong_FromLong((long)op) : NULL;
}

PyObject *python_op_free(PyObject *module, PyObject *args)
{
    int op;

    (void)module;
    if (!PyArg_ParseTuple(args, "i:op_free", &op))
        return NULL;
    muster_status status = muster_op_free((muster_op)op);
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}

/* ---- groups of their own ---- */

/* While a group is attached, whether another one, of the same ranks and more, has lost somebody. */
static bool is_broken(void *group)
{
    return has_interrupted(NULL) || muster_group_status(group) != MUSTER_OK;
}

/* A Group, or the address of one that has been released. */
static muster_group *group_or_address(PyObject *object)
{
    return PyLong_Check(object) ? PyLong_AsVoidPtr(object) : group_of_argument(object);
}

/* `beside`: threads of the program send and receive, and messages go on beside the program. */
PyObject *python_attach(PyObject *module, PyObject *args)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *group = NULL, *watched = NULL;
    long long timeout_ns, attach_timeout_ns;
    PyObject *object = Py_None;
    Py_ssize_t staging_bytes = 0;
    muster_status status;
    int beside = 0;

    (void)module;
    if (!PyArg_ParseTuple(args, "siiLL|Onp:attach", &config.arena, &config.rank, &config.size, &timeout_ns,
                          &attach_timeout_ns, &object, &staging_bytes, &beside) ||
        (object != Py_None && !(watched = group_or_address(object))))
        return NULL;
    config.timeout_ns = timeout_ns;
    config.attach_timeout_ns = attach_timeout_ns;
    config.staging_bytes = (size_t)staging_bytes;
    config.threads_multiple = config.progress_thread = beside != 0;
    config.interrupt = watched ? is_broken : has_interrupted;
    config.interrupt_arg = watched;
    if (!use_log_of_config(&config))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_attach(&config, &group);
    Py_END_ALLOW_THREADS
    if (status != MUSTER_OK)
        return raise_status(status);
    muster_group_set_interrupt(group, has_interrupted, NULL);
    return wrap_group(group);
}
