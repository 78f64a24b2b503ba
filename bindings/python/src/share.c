/* Shares as Python objects: what muster.Share is made of. A block has the buffer protocol;
 * views of blocks are counted, so that memory is neither freed nor made read-only under somebody who may
 * write there. */
#include "bindings/python/src/share.h"

#include "bindings/python/src/combining.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/leftovers.h"
#include "bindings/python/src/world.h"

typedef struct share_object {
    PyObject_HEAD muster_share *share; /* NULL: freed */
    int rank;                          /* this one's, in it */
    bool sealed;
    Py_ssize_t views;
} share_object;

typedef struct block_object {
    PyObject_HEAD PyObject *owner; /* the share */
    void *data;
    Py_ssize_t bytes;
} block_object;

static muster_share *share_of(PyObject *self)
{
    muster_share *share = ((share_object *)self)->share;

    if (!share)
        PyErr_SetString(PyExc_ValueError, "this rank has freed the share");
    return share;
}

/* For calls: a function that combines must not make any. */
static muster_share *share_to_call(PyObject *self)
{
    if (!is_combining())
        return share_of(self);
    refuse_combining();
    return NULL;
}

static PyObject *none_or_error(muster_status status)
{
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}

/* ---- blocks ---- */

static int get_buffer(PyObject *self, Py_buffer *buffer, int flags)
{
    static char nothing;
    block_object *block = (block_object *)self;
    share_object *owner = (share_object *)block->owner;
    void *data = block->data ? block->data : &nothing;

    if (!share_of(block->owner)) {
        buffer->obj = NULL;
        return -1;
    }
    if (PyBuffer_FillInfo(buffer, self, data, block->bytes, owner->sealed, flags) < 0)
        return -1;
    owner->views++;
    return 0;
}

static void release_buffer(PyObject *self, Py_buffer *buffer)
{
    (void)buffer;
    ((share_object *)((block_object *)self)->owner)->views--;
}

static void block_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(((block_object *)self)->owner);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *make_block(PyObject *owner, void *data, size_t bytes)
{
    block_object *block =
        (block_object *)PyType_GenericAlloc((PyTypeObject *)state_of_module()->block_type, 0);

    if (!block)
        return NULL;
    block->owner = Py_NewRef(owner);
    block->data = data;
    block->bytes = (Py_ssize_t)bytes;
    return (PyObject *)block;
}

static PyObject *block_of(PyObject *self, PyObject *args)
{
    muster_share *share = share_to_call(self);
    void *data;
    size_t bytes;
    int rank;

    if (!share || !PyArg_ParseTuple(args, "i:block", &rank))
        return NULL;
    muster_status status = muster_share_at(share, rank, &data, &bytes);
    if (status != MUSTER_OK)
        return raise_status(status);
    return make_block(self, data, bytes);
}

/* Whether memory is in this rank's block of the share, so that what corresponds to it is kept by the share.
 */
static bool is_mine(PyObject *self, muster_share *share, const Py_buffer *mine)
{
    void *block;
    size_t bytes;

    if (muster_share_at(share, ((share_object *)self)->rank, &block, &bytes) != MUSTER_OK)
        return false;
    uintptr_t begin = (uintptr_t)block, at = (uintptr_t)mine->buf;
    return block && at >= begin && at - begin <= bytes && (size_t)mine->len <= bytes - (at - begin);
}

/* peer(group, rank, mine): what corresponds to `mine` at that rank. */
static PyObject *peer_of(PyObject *self, PyObject *args)
{
    muster_share *share = share_to_call(self);
    muster_group *group;
    PyObject *object;
    Py_buffer mine;
    void *theirs = NULL;
    int rank;

    if (!share || !PyArg_ParseTuple(args, "Oiy*:peer", &object, &rank, &mine))
        return NULL;
    size_t bytes = (size_t)mine.len;
    bool own = is_mine(self, share, &mine);
    muster_status status = MUSTER_OK;
    if (own && (group = group_of_argument(object)))
        status = muster_peer_buffer(group, rank, mine.buf, &theirs);
    PyBuffer_Release(&mine);
    if (!own)
        PyErr_SetString(PyExc_ValueError, "the array is not in this rank's block of the share");
    if (status != MUSTER_OK)
        return raise_status(status);
    return theirs ? make_block(self, theirs, bytes) : NULL;
}

/* ---- the share ---- */

static PyObject *sync_share(PyObject *self, PyObject *unused)
{
    muster_share *share = share_to_call(self);

    (void)unused;
    return share ? none_or_error(muster_share_sync(share)) : NULL;
}

static bool has_views(const share_object *object, const char *what)
{
    if (object->views)
        PyErr_Format(PyExc_BufferError, "%zd views of the share's blocks are alive; delete them before %s",
                     object->views, what);
    return object->views != 0;
}

static PyObject *seal(PyObject *self, PyObject *unused)
{
    share_object *object = (share_object *)self;
    muster_share *share = share_to_call(self);
    muster_status status;

    (void)unused;
    if (!share ||
        (!object->sealed && has_views(object, "it is sealed: a write to them would end the process")))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_share_seal(share);
    Py_END_ALLOW_THREADS
    object->sealed |= status == MUSTER_OK;
    return none_or_error(status);
}

static PyObject *put_signal(PyObject *self, PyObject *args)
{
    muster_share *share = share_to_call(self);
    Py_buffer data;
    Py_ssize_t offset;
    int rank, signal;

    if (!share || !PyArg_ParseTuple(args, "iy*ni:put_signal", &rank, &data, &offset, &signal))
        return NULL;
    muster_status status = muster_put_signal(share, rank, (size_t)offset, data.buf, (size_t)data.len, signal);
    PyBuffer_Release(&data);
    return none_or_error(status);
}

static PyObject *wait_signal(PyObject *self, PyObject *args)
{
    muster_share *share = share_to_call(self);
    unsigned long long count;
    long long timeout_ns;
    int source, signal;
    muster_status status;

    if (!share || !PyArg_ParseTuple(args, "iiKL:wait_signal", &source, &signal, &count, &timeout_ns))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_wait_signal(share, source, signal, count, timeout_ns);
    Py_END_ALLOW_THREADS
    return none_or_error(status);
}

static PyObject *free_share(PyObject *self, PyObject *unused)
{
    share_object *object = (share_object *)self;

    (void)unused;
    if (is_combining())
        return refuse_combining();
    if (!object->share)
        Py_RETURN_NONE;
    if (has_views(object, "it is freed"))
        return NULL;
    muster_share *share = object->share;
    muster_status status;
    object->share = NULL; /* so that nobody uses it meanwhile */
    Py_BEGIN_ALLOW_THREADS
    status = muster_share_free(share);
    Py_END_ALLOW_THREADS
    if (status != MUSTER_OK)
        object->share = share;
    return none_or_error(status);
}

static void release_share(void *share)
{
    muster_share_free(share);
}

static void share_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    release_object(release_share, ((share_object *)self)->share);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef share_methods[] = {
    { "block", block_of, METH_VARARGS, NULL },        { "peer", peer_of, METH_VARARGS, NULL },
    { "sync", sync_share, METH_NOARGS, NULL },        { "seal", seal, METH_NOARGS, NULL },
    { "put_signal", put_signal, METH_VARARGS, NULL }, { "wait_signal", wait_signal, METH_VARARGS, NULL },
    { "free", free_share, METH_NOARGS, NULL },        { NULL, NULL, 0, NULL },
};

bool make_share_types(module_state *state)
{
    static PyType_Slot share_slots[] = { { Py_tp_dealloc, share_dealloc },
                                         { Py_tp_methods, share_methods },
                                         { 0, NULL } };
    static PyType_Slot block_slots[] = { { Py_tp_dealloc, block_dealloc },
                                         { Py_bf_getbuffer, get_buffer },
                                         { Py_bf_releasebuffer, release_buffer },
                                         { 0, NULL } };
    static PyType_Spec share_spec = { "muster._Share", sizeof(share_object), 0,
                                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, share_slots };
    static PyType_Spec block_spec = { "muster._Block", sizeof(block_object), 0,
                                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, block_slots };

    state->share_type = PyType_FromSpec(&share_spec);
    state->block_type = PyType_FromSpec(&block_spec);
    return state->share_type && state->block_type;
}

PyObject *python_share(PyObject *module, PyObject *args)
{
    PyObject *owner;
    Py_ssize_t bytes;
    muster_group *group;
    muster_share *share = NULL;
    muster_status status;

    (void)module;
    if (!PyArg_ParseTuple(args, "nO:share", &bytes, &owner) || !(group = group_of_argument(owner)))
        return NULL;
    if (bytes < 0)
        return PyErr_Format(PyExc_ValueError, "%zd bytes are less than none", bytes);
    share_object *object =
        (share_object *)PyType_GenericAlloc((PyTypeObject *)state_of_module()->share_type, 0);
    if (!object)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_share_create(group, (size_t)bytes, &share);
    Py_END_ALLOW_THREADS
    object->share = share;
    object->rank = muster_group_rank(group);
    if (status == MUSTER_OK)
        return (PyObject *)object;
    raise_status(status);
    Py_DECREF(object);
    return NULL;
}
