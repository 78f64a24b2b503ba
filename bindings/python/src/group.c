/* Makes, finds and frees the objects of group.h. */
#include "bindings/python/src/group.h"

#include "bindings/python/src/combining.h"
#include "bindings/python/src/leftovers.h"

static group_object *groups; /* the interpreter's lock is its lock */

static void release_group(void *group)
{
    muster_group_free(group);
}

void free_group(muster_group *group)
{
    release_object(release_group, group);
}

PyObject *wrap_group(muster_group *group)
{
    PyTypeObject *type = (PyTypeObject *)state_of_module()->group_type;
    group_object *object = (group_object *)PyType_GenericAlloc(type, 0);

    if (!object) {
        free_group(group);
        return NULL;
    }
    object->group = group;
    object->ranks_begun = state_of_module()->ranks_begun;
    object->next = groups;
    object->place = &groups;
    if (groups)
        groups->place = &object->next;
    groups = object;
    return (PyObject *)object;
}

PyObject *wrap_subgroup(PyObject *parent, muster_group *group)
{
    PyObject *made = wrap_group(group);

    if (made)
        ((group_object *)made)->in_world = ((group_object *)parent)->in_world;
    return made;
}

/* ---- the end ---- */

int tell_end(PyObject *self, bool adopt)
{
    group_object *object = (group_object *)self;

    if (!object->ends || !object->group)
        return 0;
    PyObject *address = PyLong_FromVoidPtr(object->group), *in_use = NULL;
    if (address)
        in_use = PyObject_CallFunctionObjArgs(object->ends, address, adopt ? Py_True : Py_False, NULL);
    Py_XDECREF(address);
    if (!in_use)
        return -1;
    int is_in_use = PyObject_IsTrue(in_use);
    Py_DECREF(in_use);
    return is_in_use;
}

/* The C group, unless somebody else frees it. */
static muster_group *take_at_end(PyObject *self)
{
    group_object *object = (group_object *)self;
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback); /* of the code that lets go of the Group */
    int in_use = tell_end(self, true);
    if (in_use < 0)
        PyErr_WriteUnraisable(object->ends);
    PyErr_Restore(type, value, traceback);
    muster_group *group = in_use ? NULL : object->group;
    object->group = NULL;
    return group;
}

/* ---- memory in groups ---- */

void keep_for_array(PyObject *owner)
{
    ((group_object *)owner)->arrays++;
}

bool keep_until_arrays_end(PyObject *self)
{
    group_object *object = (group_object *)self;

    if (!object->arrays || !object->group || !is_own(self))
        return false;
    object->kept = object->group;
    object->group = NULL;
    return true;
}

void end_array(PyObject *owner, void *data)
{
    group_object *object = (group_object *)owner;
    muster_group *group = object->group ? object->group : object->kept;

    object->arrays--;
    if (group) /* else its memory has gone with it, at the end of a rank of muster.testing */
        muster_free(group, data);
    if (object->arrays || !object->kept)
        return;
    object->kept = NULL;
    free_group(group);
}

/* ---- processes ---- */

/* A group that the parent had made before this process was forked is no group of this process. */
bool is_own(const PyObject *self)
{
    const group_object *object = (const group_object *)self;

    return object->ranks_begun == state_of_module()->ranks_begun &&
           muster_group_status(object->group) != MUSTER_ERR_FORKED;
}

muster_group *group_in(const PyObject *self)
{
    return ((const group_object *)self)->group;
}

/* muster.testing has forked this process to be a rank: no group that it has inherited is what the test means.
 */
PyObject *python_begin_rank(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    state_of_module()->ranks_begun++;
    Py_RETURN_NONE;
}

/* The body is done and the process ends without Python's own end: leaves, so that what it has sent still
 * arrives. */
PyObject *python_end_rank(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    look_at_leftovers();
    for (group_object *object = groups, *next; object; object = next) {
        Py_INCREF((PyObject *)object); /* other threads may run while it is freed */
        free_group(take_at_end((PyObject *)object));
        free_group(object->kept);
        object->kept = NULL;
        next = object->next;
        Py_DECREF((PyObject *)object);
    }
    Py_RETURN_NONE;
}

bool group_may_be_asked(const PyObject *self)
{
    module_state *state = state_of_module();

    if (((const group_object *)self)->ranks_begun == state->ranks_begun)
        return true;
    PyErr_SetString(state->errors[MUSTER_OK],
                    "this Group was made before @ranks forked this rank, and is not "
                    "of it; call muster.init() in the function that the ranks run");
    return false;
}

void group_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    group_object *object = (group_object *)self;

    PyObject_ClearWeakRefs(self);
    muster_group *group = take_at_end(self);
    *object->place = object->next;
    if (object->next)
        object->next->place = object->place;
    free_group(group);
    Py_XDECREF(object->ends);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

muster_group *group_of_object(PyObject *object)
{
    if (is_combining()) {
        refuse_combining();
        return NULL;
    }
    look_at_leftovers();
    if (Py_TYPE(object) != (PyTypeObject *)state_of_module()->group_type) {
        PyErr_Format(PyExc_TypeError, "group: expected a muster.Group or None, not %R", object);
        return NULL;
    }
    if (!((group_object *)object)->group)
        return PyErr_SetString(PyExc_ValueError, "group: this rank has left it"), NULL;
    if (!group_may_be_asked(object))
        return NULL;
    return ((group_object *)object)->group;
}
