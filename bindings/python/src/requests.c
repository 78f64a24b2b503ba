/*
 * muster.Request. Waiting for several of them is in several.c.
 *
 * The operation belongs to its Request while it is pending. Then the Request has the result, or what the
 * operation failed with, which each later wait gives again. One call at a time waits for a Request.
 */
#include "bindings/python/src/requests.h"

#include "bindings/python/src/combining.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/operation.h"
#include "bindings/python/src/orphans.h"

/* ---- starting and completing ---- */

PyObject *make_request(const char *name)
{
    PyTypeObject *type = (PyTypeObject *)state_of_module()->request_type;
    request_object *made = (request_object *)PyType_GenericAlloc(type, 0);

    if (made)
        made->name = name;
    return (PyObject *)made;
}

void request_begins(PyObject *self, operation *operation)
{
    request_object *request = (request_object *)self;

    request->pending = operation;
    request->message = Py_XNewRef(operation->message);
}

void request_is_over(PyObject *self, PyObject *result)
{
    ((request_object *)self)->result = result;
}

void request_end(request_object *request, muster_status status)
{
    operation *operation = request->pending;
    PyObject *result = operation_outcome(operation, status); /* other threads may run in here */

    request->error = result ? NULL : take_exception();
    request->result = result;
    request->told = true;
    request->pending = NULL;
    operation_close(operation);
}

void request_end_with(request_object *request, PyObject *error)
{
    operation *operation = request->pending;

    request->error = Py_NewRef(operation->error ? operation->error : error);
    request->told = true;
    request->pending = NULL;
    operation_close(operation);
}

/* The same, of one that a signal handler's exception has ended: that is the caller's, and not its result. */
static void end_interrupted(request_object *request, muster_status status)
{
    PyObject *raised = take_exception();

    request_end(request, status);
    raise_again(raised);
    Py_XDECREF(raised);
}

PyObject *request_outcome(request_object *request)
{
    request->told = true;
    return request->error ? raise_again(request->error) : Py_NewRef(request->result);
}

/* ---- waiting for one ---- */

bool request_may_call(const request_object *request)
{
    if (is_combining())
        refuse_combining();
    else if (request->pending->waiter)
        PyErr_SetString(state_of_module()->errors[MUSTER_OK],
                        "another thread waits for this Request; it has one waiter at a time");
    else
        return true;
    return false;
}

/* The call has ended, and the operation with it, if C has reset the request. */
static PyObject *after(request_object *request, muster_status status)
{
    if (request->pending->request.group) {
        request->pending->waiter = NULL;
        return status == MUSTER_OK ? Py_NewRef(Py_False) : raise_status(status);
    }
    if (PyErr_Occurred()) {
        end_interrupted(request, status);
        return NULL;
    }
    request_end(request, status);
    return request->error ? raise_again(request->error) : Py_NewRef(Py_True);
}

static PyObject *wait(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "timeout", NULL };
    request_object *request = (request_object *)self;
    PyObject *timeout = Py_None;
    int64_t timeout_ns;
    muster_status status;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:wait", names, &timeout) ||
        !timeout_of(timeout, "; test() does not wait", &timeout_ns))
        return NULL;
    if (!request->pending)
        return request_outcome(request);
    if (!request_may_call(request))
        return NULL;
    operation *operation = request->pending;
    operation->waiter = request;
    Py_BEGIN_ALLOW_THREADS
    status = muster_wait(&operation->request, timeout_ns);
    Py_END_ALLOW_THREADS
    PyObject *done = after(request, status);
    Py_XDECREF(done);
    return done ? request_outcome(request) : NULL;
}

static PyObject *test(PyObject *self, PyObject *unused)
{
    request_object *request = (request_object *)self;
    muster_status status;
    bool done;

    (void)unused;
    if (!request->pending) {
        request->told = true;
        return request->error ? raise_again(request->error) : Py_NewRef(Py_True);
    }
    if (!request_may_call(request))
        return NULL;
    operation *operation = request->pending;
    operation->waiter = request;
    Py_BEGIN_ALLOW_THREADS
    status = muster_test(&operation->request, &done);
    Py_END_ALLOW_THREADS
    return after(request, status);
}

static PyObject *cancel(PyObject *self, PyObject *unused)
{
    request_object *request = (request_object *)self;
    muster_status status;
    bool canceled = false;

    (void)unused;
    if (!request->pending)
        Py_RETURN_FALSE;
    if (!request_may_call(request))
        return NULL;
    operation *operation = request->pending;
    operation->waiter = request;
    Py_BEGIN_ALLOW_THREADS
    status = muster_cancel(&operation->request, &canceled);
    Py_END_ALLOW_THREADS
    if (status != MUSTER_OK || !canceled)
        return after(request, status);
    request->pending = NULL;
    request->told = true;
    request->result = Py_NewRef(Py_None);
    operation_close(operation);
    Py_RETURN_TRUE;
}

/* ---- the type ---- */

static PyObject *get_done(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!((request_object *)self)->pending);
}

static PyObject *get_message(PyObject *self, void *unused)
{
    PyObject *message = ((request_object *)self)->message;

    (void)unused;
    return Py_NewRef(message ? message : Py_None);
}

static PyObject *repr(PyObject *self)
{
    const request_object *request = (request_object *)self;

    return PyUnicode_FromFormat("<muster.Request of %s: %s>", request->name,
                                request->pending ? "pending"
                                : request->error ? "failed"
                                                 : "over");
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    request_object *request = (request_object *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(request->result);
    Py_VISIT(request->error);
    Py_VISIT(request->message);
    return 0;
}

static int clear(PyObject *self)
{
    request_object *request = (request_object *)self;

    Py_CLEAR(request->result);
    Py_CLEAR(request->error);
    Py_CLEAR(request->message);
    return 0;
}

/* A pending one was dropped: its operation is taken back, or goes on, and keeps what it needs. */
static void drop(const request_object *request)
{
    PyObject *before = take_exception();
    bool is_ours = is_of_this_process(request->pending), taken_back = orphan_take_back(request->pending);

    if (is_ours &&
        PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                         "a pending Request of %s was dropped: %s; keep it, and call wait()%s", request->name,
                         taken_back ? "it is taken back, and gets no message"
                                    : "its arrays stay until it is over",
                         taken_back ? ", or cancel()" : "") < 0)
        PyErr_WriteUnraisable(state_of_module()->request_type);
    if (!taken_back)
        orphan_keep(request->pending);
    if (before)
        raise_again(before);
    Py_XDECREF(before);
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    PyObject_ClearWeakRefs(self);
    if (((request_object *)self)->pending)
        drop((request_object *)self);
    clear(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    { "wait", (PyCFunction)(void (*)(void))wait, METH_VARARGS | METH_KEYWORDS,
      "wait($self, timeout=None)\n--\n\nWaits until the operation is over, and returns what its blocking "
      "form returns: "
      "again and\nagain, if it is called again; after cancel() None. timeout is in seconds. When it has "
      "passed,\nTimedOutError breaks the group, as in every call of muster: test() looks, and does not.\n\n"
      "    >>> request = muster.all_sum_start(np.array([1.0, rank]))\n    >>> request.wait().tolist()\n    "
      "[2.0, 1.0]" },
    { "test", test, METH_NOARGS,
      "test($self)\n--\n\nWhether the operation is over. Makes progress, and does not wait.\n\n    >>> "
      "request "
      "= muster.barrier_start()\n    >>> while not request.test():\n    ...     pass  # something useful" },
    { "cancel", cancel, METH_NOARGS,
      "cancel($self)\n--\n\nTakes a started receive back that has not got a message yet. False: it must be "
      "waited for,\nas must any other operation.\n\n    >>> request = muster.recv_start(3, 'int32', rank, "
      "tag=5)\n    >>> request.cancel(), request.wait()\n    (True, None)" },
    { "__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef properties[] = {
    { "done", get_done, NULL, "Whether it is known that the operation is over. Makes no progress.", NULL },
    { "message", get_message, NULL, "The Message that the receive was given, or None.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyMemberDef members[] = {
    { "__weaklistoffset__", T_PYSSIZET, offsetof(request_object, weak), READONLY, NULL },
    { NULL, 0, 0, 0, NULL },
};

bool make_request_type(PyObject *module, module_state *state)
{
    static PyType_Slot slots[] = {
        { Py_tp_dealloc, dealloc },
        { Py_tp_traverse, traverse },
        { Py_tp_clear, clear },
        { Py_tp_repr, repr },
        { Py_tp_methods, methods },
        { Py_tp_getset, properties },
        { Py_tp_members, members },
        { Py_tp_doc,
          "A started operation. Its arrays belong to it until it is over: until then the program\nneither "
          "writes to the input nor touches the output. Made by all_sum_start() and the like." },
        { 0, NULL },
    };
    static PyType_Spec spec = { "muster.Request", sizeof(request_object), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                slots };

    state->request_type = PyType_FromSpec(&spec);
    return state->request_type && PyModule_AddObjectRef(module, "Request", state->request_type) == 0;
}
