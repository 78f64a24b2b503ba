/* Arena memory as a Python object: what muster.empty makes arrays of. */
#include "bindings/python/src/memory.h"

#include "bindings/python/src/errors.h"
#include "bindings/python/src/group.h"
#include "bindings/python/src/world.h"

typedef struct memory_object {
    PyObject_HEAD PyObject *owner; /* the Group that it is in */
    void *data;
    Py_ssize_t bytes;
} memory_object;

static int get_buffer(PyObject *self, Py_buffer *buffer, int flags)
{
    memory_object *memory = (memory_object *)self;

    return PyBuffer_FillInfo(buffer, self, memory->data, memory->bytes, 0, flags);
}

static void dealloc(PyObject *self)
{
    memory_object *memory = (memory_object *)self;
    PyTypeObject *type = Py_TYPE(self);

    if (memory->owner)
        end_array(memory->owner, memory->data);
    Py_XDECREF(memory->owner);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* For muster.torch, which allocates in the same group: its address. */
static PyObject *get_group(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromVoidPtr(group_in(((memory_object *)self)->owner));
}

bool make_memory_type(PyObject *module, module_state *state)
{
    static PyGetSetDef properties[] = {
        { "_group", get_group, NULL, NULL, NULL },
        { NULL, NULL, NULL, NULL, NULL },
    };
    static PyType_Slot slots[] = {
        { Py_tp_getset, properties },
        { Py_tp_dealloc, dealloc },
        { Py_bf_getbuffer, get_buffer },
        { Py_tp_doc, "Bytes in the arena, which every rank reads zero-copy." },
        { 0, NULL },
    };
    static PyType_Spec spec = { "muster.Memory", sizeof(memory_object), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots };

    (void)module;
    state->memory_type = PyType_FromSpec(&spec);
    return state->memory_type != NULL;
}

/* The Group that memory for `owner` is in: the world, which is never left, for what was made of it, so that
 * a block of `with` leaves its group at its end and its arrays stay. */
static PyObject *home_of(PyObject *owner)
{
    PyObject *world = state_of_module()->world;

    if (owner == Py_None)
        return world;
    return ((group_object *)owner)->in_world && world && is_own(world) && is_own(owner) ? world : owner;
}

PyObject *python_allocate(PyObject *module, PyObject *args)
{
    PyObject *owner;
    Py_ssize_t bytes;

    (void)module;
    if (!PyArg_ParseTuple(args, "nO:allocate", &bytes, &owner) || !group_of_argument(owner))
        return NULL;
    if (bytes < 0)
        return PyErr_Format(PyExc_ValueError, "%zd bytes are less than none", bytes);
    memory_object *memory =
        (memory_object *)PyType_GenericAlloc((PyTypeObject *)state_of_module()->memory_type, 0);
    if (!memory)
        return NULL;
    owner = home_of(owner);
    memory->bytes = bytes;
    muster_status status = muster_alloc(group_in(owner), (size_t)bytes, &memory->data);
    if (status == MUSTER_OK) {
        memory->owner = Py_NewRef(owner);
        keep_for_array(owner);
        return (PyObject *)memory;
    }
    Py_DECREF(memory);
    return raise_status(status);
}
