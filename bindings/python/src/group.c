/* muster.Group, of binding.h. */
#include <limits.h>
#include <string.h>

#include "bindings/python/src/binding.h"

typedef struct group_object {
    PyObject_HEAD muster_group *group;
    int ranks_begun;                    /* of the state, when it was made */
    struct group_object *next, **place; /* in the list of all */
} group_object;

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
        muster_group *group = object->group;

        Py_INCREF((PyObject *)object); /* other threads may run while it is freed */
        object->group = NULL;
        free_group(group);
        next = object->next;
        Py_DECREF((PyObject *)object);
    }
    Py_RETURN_NONE;
}

/* A helper that a rank has forked may ask for its parent's number; a rank must not take it for its own. */
static bool may_be_asked(PyObject *self)
{
    module_state *state = state_of_module();

    if (((group_object *)self)->ranks_begun == state->ranks_begun)
        return true;
    PyErr_SetString(state->errors[MUSTER_OK],
                    "this Group was made before @ranks forked this rank, and is not "
                    "of it; call muster.init() in the function that the ranks run");
    return false;
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    group_object *object = (group_object *)self;

    *object->place = object->next;
    if (object->next)
        object->next->place = object->place;
    free_group(object->group);
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
    if (!may_be_asked(object))
        return NULL;
    return ((group_object *)object)->group;
}

/* ---- its methods ---- */

static PyObject *rank(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (!may_be_asked(self))
        return NULL;
    return PyLong_FromLong(muster_group_rank(((group_object *)self)->group));
}

static PyObject *size(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (!may_be_asked(self))
        return NULL;
    return PyLong_FromLong(muster_group_size(((group_object *)self)->group));
}

static PyObject *split(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "color", "key", NULL };
    muster_group *group, *child = NULL;
    int color, key = -1;
    muster_status status;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "i|i:split", names, &color, &key) ||
        !(group = group_of_object(self)))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_group_split(group, color, key, &child);
    Py_END_ALLOW_THREADS
    if (status != MUSTER_OK)
        return raise_status(status);
    if (!child)
        Py_RETURN_NONE;
    return wrap_group(child);
}

static PyObject *dup_group(PyObject *self, PyObject *unused)
{
    muster_group *group = group_of_object(self), *copy = NULL;
    muster_status status;

    (void)unused;
    if (!group)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_group_dup(group, &copy);
    Py_END_ALLOW_THREADS
    return status == MUSTER_OK ? wrap_group(copy) : raise_status(status);
}

/* The ranks of a sequence; NULL with an exception. */
static int *read_ranks(PyObject *sequence, int *count)
{
    Py_ssize_t length = PySequence_Size(sequence);
    int *ranks = length < 0 ? NULL : PyMem_Malloc(((size_t)length + 1) * sizeof *ranks);

    if (!ranks)
        return length < 0 ? NULL : (int *)(void *)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < length; i++) {
        PyObject *item = PySequence_GetItem(sequence, i);
        long rank = item ? PyLong_AsLong(item) : -1;

        Py_XDECREF(item);
        if (rank == -1 && PyErr_Occurred()) {
            PyMem_Free(ranks);
            return NULL;
        }
        ranks[i] = rank >= 0 && rank < INT_MAX ? (int)rank : -1; /* which muster refuses */
    }
    *count = length < INT_MAX ? (int)length : INT_MAX;
    return ranks;
}

static PyObject *subset(PyObject *self, PyObject *args)
{
    muster_group *group, *made = NULL;
    muster_status status;
    PyObject *sequence;
    int count = 0;

    if (!PyArg_ParseTuple(args, "O:subset", &sequence) || !(group = group_of_object(self)))
        return NULL;
    int *ranks = read_ranks(sequence, &count);
    if (!ranks)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_group_subset(group, ranks, count, &made);
    Py_END_ALLOW_THREADS
    PyMem_Free(ranks);
    return status == MUSTER_OK ? wrap_group(made) : raise_status(status);
}

static PyObject *get_name(PyObject *self, void *unused)
{
    const char *name = muster_group_name(((group_object *)self)->group);

    (void)unused;
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}

static int set_name(PyObject *self, PyObject *value, void *unused)
{
    bool is_text = value && PyUnicode_Check(value);
    PyObject *bytes = is_text ? PyUnicode_AsUTF8String(value) : NULL;

    (void)unused;
    if (!value)
        PyErr_SetString(PyExc_AttributeError, "a group's name can be set to '', and not deleted");
    else if (!is_text)
        PyErr_Format(PyExc_TypeError, "a group's name is a str, such as 'tp:0', and not %R", value);
    if (!bytes)
        return -1;
    const char *name = PyBytes_AsString(bytes);
    muster_status status = muster_group_set_name(((group_object *)self)->group, name ? name : "");
    Py_DECREF(bytes);
    if (status == MUSTER_OK)
        return 0;
    raise_status(status);
    return -1;
}

/* shrink and grow: a group of those who are left, and of those who replace the lost. */
static PyObject *regroup(PyObject *self, muster_status (*make)(muster_group *group, muster_group **made))
{
    muster_group *group = group_of_object(self), *made = NULL;
    muster_status status;

    if (!group)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = make(group, &made);
    Py_END_ALLOW_THREADS
    return status == MUSTER_OK ? wrap_group(made) : raise_status(status);
}

static PyObject *shrink(PyObject *self, PyObject *unused)
{
    (void)unused;
    return regroup(self, muster_group_shrink);
}

static PyObject *grow(PyObject *self, PyObject *unused)
{
    (void)unused;
    return regroup(self, muster_group_grow);
}

static PyObject *abort_group(PyObject *self, PyObject *args)
{
    const char *reason = NULL;

    if (!PyArg_ParseTuple(args, "|z:abort", &reason))
        return NULL;
    muster_status status = muster_group_abort(((group_object *)self)->group, reason);
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}

static PyObject *limit_to(PyObject *self, int64_t timeout_ns)
{
    muster_group *group = group_of_object(self);

    if (!group)
        return NULL;
    muster_status status = muster_group_set_timeout(group, timeout_ns);
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}

static PyObject *set_timeout(PyObject *self, PyObject *timeout)
{
    int64_t timeout_ns;

    return timeout_of(timeout, "", &timeout_ns) ? limit_to(self, timeout_ns) : NULL;
}

/* For muster.torch, which counts in ns. */
static PyObject *set_timeout_ns(PyObject *self, PyObject *args)
{
    long long timeout_ns;

    return PyArg_ParseTuple(args, "L:_set_timeout", &timeout_ns) ? limit_to(self, timeout_ns) : NULL;
}

/* The rank that a member has in another group; None: it is not in it. */
static PyObject *translate(PyObject *self, PyObject *args)
{
    PyObject *object;
    muster_group *group, *other;
    int member;

    if (!PyArg_ParseTuple(args, "iO:translate", &member, &object) || !(group = group_of_object(self)) ||
        !(other = group_of_object(object)))
        return NULL;
    if (member < 0 || member >= muster_group_size(group))
        return PyErr_Format(PyExc_ValueError, "rank %d is not a rank of a group of %d", member,
                            muster_group_size(group));
    int rank = muster_group_translate(group, member, other);
    if (rank < 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(rank);
}

static PyObject *check(PyObject *self, PyObject *unused)
{
    muster_status status = muster_group_status(((group_object *)self)->group);

    (void)unused;
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}

/* For muster.torch: the group is left now, and whoever uses the object gets errors. */
static PyObject *leave(PyObject *self, PyObject *unused)
{
    group_object *object = (group_object *)self;
    muster_status status;

    (void)unused;
    if (is_combining())
        return refuse_combining();
    look_at_leftovers(); /* operations without a Request may be over, and else hold the group */
    muster_group *group = object->group;
    object->group = NULL; /* so that nobody uses it meanwhile */
    Py_BEGIN_ALLOW_THREADS
    status = muster_group_free(group);
    Py_END_ALLOW_THREADS
    if (status == MUSTER_OK)
        Py_RETURN_NONE;
    object->group = group;
    return raise_status(status);
}

/* For muster.torch: the address of the group, which is the caller's from now on. */
static PyObject *release(PyObject *self, PyObject *unused)
{
    group_object *object = (group_object *)self;
    muster_group *group = group_of_object(self);

    (void)unused;
    if (!group)
        return NULL;
    object->group = NULL;
    return PyLong_FromVoidPtr(group);
}

static PyObject *repr(PyObject *self)
{
    const muster_group *group = ((group_object *)self)->group;
    const char *name = muster_group_name(group);

    return PyUnicode_FromFormat("<muster.Group%s%s: rank %d of %d>", name[0] ? " " : "", name,
                                muster_group_rank(group), muster_group_size(group));
}

static PyMethodDef methods[] = {
    { "rank", rank, METH_NOARGS, "rank() -> int\n\nThis process's number in the group." },
    { "size", size, METH_NOARGS, "size() -> int\n\nHow many ranks the group has." },
    { "split", (PyCFunction)(void (*)(void))split, METH_VARARGS | METH_KEYWORDS,
      "split(color, key=-1) -> Group or None\n\nRanks of the same color form a group, in the order of key; a "
      "negative key\nis the rank here. Color -1: no group, None." },
    { "dup", dup_group, METH_NOARGS, "dup() -> Group\n\nA group of the same ranks, apart from this one." },
    { "subset", subset, METH_VARARGS,
      "subset(ranks) -> Group\n\nA group of these ranks, in this order; only they call it, with the same "
      "list." },
    { "shrink", shrink, METH_NOARGS,
      "shrink() -> Group\n\nA group of the ranks that are left, when some have died; all of them call it." },
    { "grow", grow, METH_NOARGS,
      "grow() -> Group\n\nThe same, with the processes that replace the dead (muster run --on-failure "
      "respawn)." },
    { "translate", translate, METH_VARARGS,
      "translate(rank, other) -> int or None\n\nThe rank that this group's member has in another group; "
      "None: "
      "it is not in it." },
    { "check", check, METH_NOARGS,
      "check()\n\nRaises what the group is broken by, if it is. Looks whether ranks have ended; never "
      "waits." },
    { "abort", abort_group, METH_VARARGS,
      "abort(reason=None)\n\nBreaks the group: all its ranks get AbortedError." },
    { "set_timeout", set_timeout, METH_O,
      "set_timeout(timeout)\n\nHow many seconds one operation of this rank in the group may wait, from now "
      "on and "
      "in\ngroups made of it later; None: no limit. It holds in place of MUSTER_TIMEOUT." },
    { "_set_timeout", set_timeout_ns, METH_VARARGS, NULL },
    { "_leave", leave, METH_NOARGS, NULL },
    { "_release", release, METH_NOARGS, NULL },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef properties[] = {
    { "name", get_name, set_name,
      "Its name, such as 'tp:0', with which errors, muster inspect and ps tell it.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

bool make_group_type(PyObject *module, module_state *state)
{
    static PyType_Slot slots[] = {
        { Py_tp_getset, properties },
        { Py_tp_dealloc, dealloc },
        { Py_tp_repr, repr },
        { Py_tp_methods, methods },
        { Py_tp_doc, "A group of ranks that work together. Made by init() and split()." },
        { 0, NULL },
    };
    static PyType_Spec spec = { "muster.Group", sizeof(group_object), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots };

    state->group_type = PyType_FromSpec(&spec);
    return state->group_type && PyModule_AddObjectRef(module, "Group", state->group_type) == 0;
}
