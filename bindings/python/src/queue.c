/* Queues as Python objects: what muster.Queue is made of. Entries are bytes. An entry that was
 * peeked at has the buffer protocol; its views are counted, so that the writer does not overwrite what
 * somebody reads. */
#include "bindings/python/src/queue.h"

#include "bindings/python/src/combining.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/leftovers.h"
#include "bindings/python/src/view.h"
#include "bindings/python/src/world.h"

typedef struct queue_object {
    PyObject_HEAD muster_queue *queue; /* NULL: freed */
    Py_ssize_t views;
    uint64_t released; /* entries */
} queue_object;

typedef struct entry_object {
    PyObject_HEAD PyObject *owner; /* the queue */
    const void *data;
    Py_ssize_t bytes;
    uint64_t released; /* entries of the queue, when it was peeked at */
} entry_object;

static muster_queue *queue_of(PyObject *self)
{
    muster_queue *queue = ((queue_object *)self)->queue;

    if (is_combining()) {
        refuse_combining();
        return NULL;
    }
    if (!queue)
        PyErr_SetString(PyExc_ValueError, "this rank has freed the queue");
    return queue;
}

static PyObject *push(PyObject *self, PyObject *args)
{
    muster_queue *queue = queue_of(self);
    Py_buffer entry;
    long long timeout_ns;
    muster_status status;

    if (!queue || !PyArg_ParseTuple(args, "y*L:push", &entry, &timeout_ns))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_queue_push(queue, entry.buf, (size_t)entry.len, timeout_ns);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&entry);
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}

/* ---- entries ---- */

static int get_buffer(PyObject *self, Py_buffer *buffer, int flags)
{
    entry_object *entry = (entry_object *)self;
    queue_object *owner = (queue_object *)entry->owner;

    if (!owner->queue || owner->released != entry->released) {
        PyErr_SetString(PyExc_BufferError, "the entry was released");
        buffer->obj = NULL;
        return -1;
    }
    if (PyBuffer_FillInfo(buffer, self, (void *)(uintptr_t)entry->data, entry->bytes, 1, flags) < 0)
        return -1;
    owner->views++;
    return 0;
}

static void release_buffer(PyObject *self, Py_buffer *buffer)
{
    (void)buffer;
    ((queue_object *)((entry_object *)self)->owner)->views--;
}

static void entry_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(((entry_object *)self)->owner);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *view_of(PyObject *self, const void *data, size_t bytes, uint64_t released)
{
    static const char nothing;
    entry_object *entry =
        (entry_object *)PyType_GenericAlloc((PyTypeObject *)state_of_module()->entry_type, 0);

    if (!entry)
        return NULL;
    entry->owner = Py_NewRef(self);
    entry->data = data ? data : &nothing;
    entry->bytes = (Py_ssize_t)bytes;
    entry->released = released;
    PyObject *view = PyMemoryView_FromObject((PyObject *)entry);
    Py_DECREF(entry);
    return view;
}

static bool has_views(const queue_object *object, const char *what)
{
    if (object->views)
        PyErr_Format(PyExc_BufferError, "%zd views of the entry are alive; release them before %s",
                     object->views, what);
    return object->views != 0;
}

/* Another thread may see the same entry, and release it or free the queue before this one has the GIL again:
 * then it looks again. */
static bool look_at_next(queue_object *object, PyObject *args, const void **entry, size_t *bytes)
{
    long long timeout_ns;
    uint64_t before;
    muster_queue *queue;

    if (!PyArg_ParseTuple(args, "L:peek", &timeout_ns))
        return false;
    do {
        muster_status status;
        before = object->released;
        queue = queue_of((PyObject *)object);
        if (!queue)
            return false;
        Py_BEGIN_ALLOW_THREADS
        status = muster_queue_peek(queue, timeout_ns, entry, bytes);
        Py_END_ALLOW_THREADS
        if (status != MUSTER_OK) {
            raise_status(status);
            return false;
        }
    } while (object->released != before || object->queue != queue);
    return true;
}

static PyObject *peek(PyObject *self, PyObject *args)
{
    queue_object *object = (queue_object *)self;
    const void *entry = NULL;
    size_t bytes = 0;

    return look_at_next(object, args, &entry, &bytes) ? view_of(self, entry, bytes, object->released) : NULL;
}

static PyObject *release_entry(PyObject *self, PyObject *unused)
{
    queue_object *object = (queue_object *)self;
    muster_queue *queue = queue_of(self);

    (void)unused;
    if (!queue || has_views(object, "it is released: the writer may overwrite it"))
        return NULL;
    muster_status status = muster_queue_release(queue);
    if (status != MUSTER_OK)
        return raise_status(status);
    object->released++;
    Py_RETURN_NONE;
}

static PyObject *pop(PyObject *self, PyObject *args)
{
    queue_object *object = (queue_object *)self;
    const void *entry = NULL;
    size_t bytes = 0;

    if (!queue_of(self) || has_views(object, "it is popped") || !look_at_next(object, args, &entry, &bytes))
        return NULL;
    PyObject *copy = PyBytes_FromStringAndSize(entry, (Py_ssize_t)bytes);
    if (copy && !has_views(object, "it is popped")) { /* another thread may have peeked */
        muster_status status = muster_queue_release(object->queue);
        if (status == MUSTER_OK) {
            object->released++;
            return copy;
        }
        raise_status(status); /* BUSY: another thread looks at it */
    }
    Py_XDECREF(copy); /* the entry stays */
    return NULL;
}

static PyObject *drop(PyObject *self, PyObject *unused)
{
    muster_queue *queue = queue_of(self);
    int readers;

    (void)unused;
    if (!queue)
        return NULL;
    muster_status status = muster_queue_drop(queue, &readers);
    return status == MUSTER_OK ? PyLong_FromLong(readers) : raise_status(status);
}

static PyObject *lag(PyObject *self, PyObject *unused)
{
    muster_queue *queue = queue_of(self);
    uint64_t entries;
    int rank;

    (void)unused;
    if (!queue)
        return NULL;
    muster_status status = muster_queue_lag(queue, &rank, &entries);
    return status == MUSTER_OK ? Py_BuildValue("iK", rank, (unsigned long long)entries)
                               : raise_status(status);
}

static PyObject *free_queue(PyObject *self, PyObject *unused)
{
    queue_object *object = (queue_object *)self;
    muster_queue *queue = object->queue;
    muster_status status;

    (void)unused;
    if (is_combining())
        return refuse_combining();
    if (has_views(object, "the queue is freed"))
        return NULL;
    object->queue = NULL; /* so that nobody uses it meanwhile */
    Py_BEGIN_ALLOW_THREADS
    status = muster_queue_free(queue);
    Py_END_ALLOW_THREADS
    if (status == MUSTER_OK)
        Py_RETURN_NONE;
    object->queue = queue;
    return raise_status(status);
}

static void release_queue(void *queue)
{
    muster_queue_free(queue);
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    release_object(release_queue, ((queue_object *)self)->queue);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    { "push", push, METH_VARARGS, NULL },      { "pop", pop, METH_VARARGS, NULL },
    { "peek", peek, METH_VARARGS, NULL },      { "release", release_entry, METH_NOARGS, NULL },
    { "drop", drop, METH_NOARGS, NULL },       { "lag", lag, METH_NOARGS, NULL },
    { "free", free_queue, METH_NOARGS, NULL }, { NULL, NULL, 0, NULL },
};

bool make_queue_type(module_state *state)
{
    static PyType_Slot slots[] = { { Py_tp_dealloc, dealloc }, { Py_tp_methods, methods }, { 0, NULL } };
    static PyType_Slot entry_slots[] = { { Py_tp_dealloc, entry_dealloc },
                                         { Py_bf_getbuffer, get_buffer },
                                         { Py_bf_releasebuffer, release_buffer },
                                         { 0, NULL } };
    static PyType_Spec entry_spec = { "muster._Entry", sizeof(entry_object), 0,
                                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, entry_slots };
    static PyType_Spec spec = { "muster._Queue", sizeof(queue_object), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots };

    state->queue_type = PyType_FromSpec(&spec);
    state->entry_type = PyType_FromSpec(&entry_spec);
    return state->queue_type && state->entry_type;
}

PyObject *python_queue(PyObject *module, PyObject *args)
{
    PyObject *owner;
    Py_ssize_t entries, entry_bytes;
    int writer;
    muster_group *group;
    muster_queue *queue = NULL;
    muster_status status;

    (void)module;
    if (!PyArg_ParseTuple(args, "nniO:queue", &entries, &entry_bytes, &writer, &owner) ||
        !(group = group_of_argument(owner)))
        return NULL;
    if (entries < 1 || entry_bytes < 0)
        return PyErr_Format(PyExc_ValueError, "%zd entries of %zd bytes; expected at least 1, of 0 or more",
                            entries, entry_bytes);
    queue_object *object =
        (queue_object *)PyType_GenericAlloc((PyTypeObject *)state_of_module()->queue_type, 0);
    if (!object)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_queue_create(group, writer, (size_t)entries, (size_t)entry_bytes, &queue);
    Py_END_ALLOW_THREADS
    object->queue = queue;
    if (status == MUSTER_OK)
        return (PyObject *)object;
    raise_status(status);
    Py_DECREF(object);
    return NULL;
}
