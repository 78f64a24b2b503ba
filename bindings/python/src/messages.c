/*
 * Messages: send, recv and sendrecv, blocking and started, and probes.
 *
 * ANY_SOURCE, ANY_TAG and RANK_NONE are objects of muster._messages, and only these objects mean that: a -1
 * that a program has computed is refused, as it always was.
 */
#include "bindings/python/src/messages.h"

#include <limits.h>

#include "bindings/python/src/errors.h"
#include "bindings/python/src/function.h"
#include "bindings/python/src/message.h"
#include "bindings/python/src/operation.h"
#include "bindings/python/src/perform.h"
#include "bindings/python/src/world.h"

/* ---- what has come ---- */

/* Takes message=. */
static bool takes_message(operation *operation, PyObject *message)
{
    if (!message || message == Py_None)
        return true;
    if ((PyObject *)Py_TYPE(message) != state_of_module()->message_type) {
        PyErr_Format(PyExc_TypeError, "%s(): message: expected a muster.Message() to fill, not %R",
                     operation->name, message);
        return false;
    }
    operation->message = Py_NewRef(message);
    operation->has_come = (muster_message)MUSTER_MESSAGE_INIT;
    return true;
}

static muster_message *place_of_message(operation *operation)
{
    return operation->message ? &operation->has_come : NULL;
}

/* ---- peers and tags ---- */

static bool read_int(PyObject *object, long *number)
{
    *number = PyLong_AsLong(object);
    return *number != -1 || !PyErr_Occurred();
}

/* `alone`: what MLX says in a group of one, where its messages have nobody to go to; NULL: allowed. */
static bool take_peer(const muster_group *group, PyObject *object, const char *what, const char *alone,
                      int *peer)
{
    const module_state *state = state_of_module();
    bool receives = what[0] == 's';
    long number;

    if (object == state->rank_none || (receives && object == state->any_source)) {
        *peer = object == state->rank_none ? MUSTER_RANK_NONE : MUSTER_ANY_SOURCE;
        if (object == state->rank_none || !alone || muster_group_size(group) > 1)
            return true;
    }
    if (alone && muster_group_size(group) == 1) {
        PyErr_Format(PyExc_ValueError, "Cannot %s a singleton group", alone);
        return false;
    }
    if (!read_int(object, &number))
        return false;
    *peer = (int)number;
    if (number >= 0 && number < muster_group_size(group))
        return true;
    PyErr_Format(PyExc_ValueError, "Invalid %s=%ld for a group of size %d%s", what, number,
                 muster_group_size(group), receives ? ", where muster.ANY_SOURCE is any rank" : "");
    return false;
}

/* NULL: 0. */
static bool take_tag(PyObject *object, bool may_be_any, int *tag)
{
    long number = 0;

    *tag = MUSTER_ANY_TAG;
    if (may_be_any && object == state_of_module()->any_tag)
        return true;
    if (object && !read_int(object, &number))
        return false;
    *tag = (int)number;
    if (number >= 0 && number <= INT_MAX)
        return true;
    PyErr_Format(PyExc_ValueError, "Invalid tag=%ld; expected 0 to %d%s", number, INT_MAX,
                 may_be_any ? ", or muster.ANY_TAG" : "");
    return false;
}

/* ---- send ---- */

static muster_status run_send(operation *o, muster_request *request)
{
    return request ? muster_send_start(o->in.data, o->count, o->dtype, o->root, o->tag, o->group, request)
                   : muster_send(o->in.data, o->count, o->dtype, o->root, o->tag, o->group);
}

static PyObject *send_one(PyObject *args, PyObject *keywords, const char *name, bool started)
{
    static char *names[] = { "x", "dst", "tag", "group", "stream", "dtype", NULL };
    PyObject *x, *dst, *tag = NULL, *group = NULL, *stream, *dtype = NULL;
    operation place, *o;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, started ? "OO|O$OOO:send_start" : "OO|O$OOO:send", names,
                                     &x, &dst, &tag, &group, &stream, &dtype) ||
        !(o = operation_begin(&place, name, group, started)))
        return NULL;
    o->call = run_send;
    if (!take_peer(o->group, dst, "destination", "send to", &o->root) || !take_tag(tag, false, &o->tag) ||
        !operation_reads(o, x, dtype))
        return operation_fail(o);
    o->result = Py_NewRef(x);
    return operation_perform(o);
}

SLOW_FUNCTION(send)
{
    (void)module;
    return send_one(args, keywords, "send", false);
}

SLOW_FUNCTION(send_start)
{
    (void)module;
    return send_one(args, keywords, "send_start", true);
}

/* ---- recv ---- */

static muster_status run_recv(operation *o, muster_request *request)
{
    muster_message *message = place_of_message(o);

    return request
               ? muster_recv_start(o->out.data, o->count, o->dtype, o->source, o->source_tag, o->group,
                                   message, request)
               : muster_recv(o->out.data, o->count, o->dtype, o->source, o->source_tag, o->group, message);
}

/* The three forms of a receive, as `_form` numbers them, and the names that sentences have. The array of the
 * other two was made for this receive, so that nothing is received when nobody sends. */
enum { RECV_INTO, RECV, RECV_LIKE, RECV_FORMS };
static const char *const receive_names[RECV_FORMS][2] = { { "recv_into", "recv_into_start" },
                                                          { "recv", "recv_start" },
                                                          { "recv_like", "recv_like_start" } };

static PyObject *receive_one(PyObject *args, PyObject *keywords, bool started)
{
    static char *names[] = { "out", "src", "tag", "group", "message", "dtype", "_form", NULL };
    PyObject *out, *src, *tag = NULL, *group = NULL, *message = NULL, *dtype = NULL;
    operation place, *o;
    int form = RECV_INTO;

    if (!PyArg_ParseTupleAndKeywords(args, keywords,
                                     started ? "OO|O$OOOi:recv_into_start" : "OO|O$OOOi:recv_into", names,
                                     &out, &src, &tag, &group, &message, &dtype, &form) ||
        !(o = operation_begin(&place,
                              receive_names[form > 0 && form < RECV_FORMS ? form : RECV_INTO][started], group,
                              started)))
        return NULL;
    o->call = run_recv;
    if (!take_peer(o->group, src, "source", "recv from", &o->source) ||
        !take_tag(tag, true, &o->source_tag) || !takes_message(o, message) ||
        !operation_writes(o, out, dtype))
        return operation_fail(o);
    if (form == RECV_INTO || o->source != MUSTER_RANK_NONE)
        o->result = Py_NewRef(out);
    return operation_perform(o);
}

SLOW_FUNCTION(recv_into)
{
    (void)module;
    return receive_one(args, keywords, false);
}

SLOW_FUNCTION(recv_into_start)
{
    (void)module;
    return receive_one(args, keywords, true);
}

/* ---- sendrecv ---- */

static muster_status run_sendrecv(operation *o, muster_request *request)
{
    (void)request;
    return muster_sendrecv(o->in.data, o->in.count, o->root, o->tag, o->out.data, o->out.count, o->source,
                           o->source_tag, o->dtype, o->group, place_of_message(o));
}

/* Into `out`, or an array like x. */
static bool opens_both(operation *o, PyObject *x, PyObject *out, PyObject *dtype)
{
    if (!operation_reads(o, x, dtype))
        return false;
    if (out && out != Py_None) {
        o->result = Py_NewRef(out);
    } else {
        PyObject *shape = PyTuple_New(o->in.dimensions);

        for (int i = 0; shape && i < o->in.dimensions; i++)
            PyTuple_SetItem(shape, i, PyLong_FromSsize_t(o->in.shape[i]));
        o->result = operation_makes_like(o, shape, dtype);
    }
    if (!o->result || !operation_writes(o, o->result, dtype))
        return false;
    if (o->in.dtype == o->out.dtype)
        return true;
    PyErr_Format(PyExc_ValueError, "%s(): x is of %s and out of %s", o->name, muster_dtype_name(o->in.dtype),
                 muster_dtype_name(o->out.dtype));
    return false;
}

SLOW_FUNCTION(sendrecv)
{
    static char *names[] = {
        "x", "dst", "src", "sendtag", "recvtag", "group", "message", "dtype", "out", NULL
    };
    PyObject *x, *dst, *src, *tag = NULL, *source_tag = NULL, *group = NULL, *message = NULL, *dtype = NULL,
                             *out = NULL;
    operation place, *o;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO|OO$OOOO:sendrecv", names, &x, &dst, &src, &tag,
                                     &source_tag, &group, &message, &dtype, &out) ||
        !(o = operation_begin(&place, "sendrecv", group, false)))
        return NULL;
    o->call = run_sendrecv;
    if (!take_peer(o->group, dst, "destination", NULL, &o->root) || !take_tag(tag, false, &o->tag) ||
        !take_peer(o->group, src, "source", NULL, &o->source) ||
        !take_tag(source_tag, true, &o->source_tag) || !takes_message(o, message) ||
        !opens_both(o, x, out, dtype))
        return operation_fail(o);
    if (o->source == MUSTER_RANK_NONE && (!out || out == Py_None)) {
        Py_DECREF(o->result);
        o->result = NULL;
    }
    return operation_perform(o);
}

/* ---- probes ---- */

static bool take_probe(PyObject *args, PyObject *keywords, const char *format, int *source, int *tag,
                       muster_group **group)
{
    static char *names[] = { "src", "tag", "group", NULL };
    const module_state *state = state_of_module();
    PyObject *src = state->any_source, *wanted = state->any_tag, *object = NULL;

    return PyArg_ParseTupleAndKeywords(args, keywords, format, names, &src, &wanted, &object) &&
           (*group = group_of_argument(object)) && take_peer(*group, src, "source", NULL, source) &&
           take_tag(wanted, true, tag);
}

static PyObject *make_message(const muster_message *has_come)
{
    PyObject *message = PyObject_CallNoArgs(state_of_module()->message_type);

    if (message && !fill_message(message, has_come))
        Py_CLEAR(message);
    return message;
}

SLOW_FUNCTION(probe)
{
    muster_message has_come = MUSTER_MESSAGE_INIT;
    muster_group *group;
    muster_status status;
    int source, tag;

    (void)module;
    if (!take_probe(args, keywords, "|OO$O:probe", &source, &tag, &group))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_probe(source, tag, group, &has_come);
    Py_END_ALLOW_THREADS
    return status == MUSTER_OK ? make_message(&has_come) : raise_status(status);
}

SLOW_FUNCTION(iprobe)
{
    muster_message has_come = MUSTER_MESSAGE_INIT;
    muster_group *group;
    muster_status status;
    bool found = false;
    int source, tag;

    (void)module;
    if (!take_probe(args, keywords, "|OO$O:iprobe", &source, &tag, &group))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_iprobe(source, tag, group, &found, &has_come);
    Py_END_ALLOW_THREADS
    if (status != MUSTER_OK)
        return raise_status(status);
    return found ? make_message(&has_come) : Py_NewRef(Py_None);
}
