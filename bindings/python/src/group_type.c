/* The type muster.Group: its methods and properties. */
#include "bindings/python/src/group_type.h"

#include <limits.h>
#include <string.h>

#include "bindings/python/src/combining.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/group.h"
#include "bindings/python/src/leftovers.h"
#include "bindings/python/src/subgroups.h"

/* With an exception. */
static bool has_left(PyObject *self)
{
    if (!((group_object *)self)->group)
        PyErr_SetString(PyExc_ValueError, "this rank has left the group");
    return !((group_object *)self)->group;
}

static PyObject *rank(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (!group_may_be_asked(self) || has_left(self))
        return NULL;
    return PyLong_FromLong(muster_group_rank(((group_object *)self)->group));
}

static PyObject *size(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (!group_may_be_asked(self) || has_left(self))
        return NULL;
    return PyLong_FromLong(muster_group_size(((group_object *)self)->group));
}

static PyObject *get_name(PyObject *self, void *unused)
{
    (void)unused;
    if (has_left(self))
        return NULL;
    const char *name = muster_group_name(((group_object *)self)->group);
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
    char *name;
    if (has_left(self) ||
        PyBytes_AsStringAndSize(bytes, &name, NULL) < 0) { /* ValueError: with a NUL in it */
        Py_DECREF(bytes);
        return -1;
    }
    muster_status status = muster_group_set_name(((group_object *)self)->group, name);
    Py_DECREF(bytes);
    if (status == MUSTER_OK)
        return 0;
    raise_status(status);
    return -1;
}

static PyObject *abort_group(PyObject *self, PyObject *args)
{
    const char *reason = NULL;

    if (!PyArg_ParseTuple(args, "|z:abort", &reason) || has_left(self))
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

static bool int_of(PyObject *number, int *value)
{
    long given = PyLong_AsLong(number);

    *value = given < INT_MIN || given > INT_MAX ? -1 : (int)given; /* which the library refuses */
    return !(given == -1 && PyErr_Occurred());
}

static PyObject *set_threads(PyObject *self, PyObject *number)
{
    muster_group *group = group_of_object(self);
    int threads;

    if (!group || !int_of(number, &threads))
        return NULL;
    muster_status status = muster_group_set_threads(group, threads);
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}

static PyObject *help(PyObject *self, PyObject *number)
{
    muster_group *group = group_of_object(self);
    muster_status status;
    int thread;

    if (!group || !int_of(number, &thread))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_help(group, thread);
    Py_END_ALLOW_THREADS
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
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
    (void)unused;
    if (has_left(self))
        return NULL;
    muster_status status = muster_group_status(((group_object *)self)->group);
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}

/* For muster.torch: the group is left now, and whoever uses the object gets errors. */
static PyObject *leave(PyObject *self, PyObject *unused)
{
    group_object *object = (group_object *)self;
    muster_status status;
    char dropped[180] = "";

    (void)unused;
    if (is_combining())
        return refuse_combining();
    if (tell_end(self, false) < 0)
        return NULL;
    if (keep_until_arrays_end(self))
        Py_RETURN_NONE;
    look_at_leftovers(); /* operations without a Request may be over, and else hold the group */
    muster_group *group = object->group;
    object->group = NULL; /* so that nobody uses it meanwhile */
    Py_BEGIN_ALLOW_THREADS
    status = muster_group_free(group);
    Py_END_ALLOW_THREADS
    if (status == MUSTER_OK)
        Py_RETURN_NONE;
    object->group = group;
    if (status == MUSTER_ERR_BUSY && object->orphans)
        PyOS_snprintf(
            dropped, sizeof dropped,
            "; the Request of %d was dropped: such an operation ends in later calls of this rank on "
            "the group, such as barrier(), when all ranks have made theirs",
            object->orphans);
    return raise_status_and(status, dropped);
}

/* For muster.torch: the address of the group, which is the caller's from now on. */
static PyObject *release(PyObject *self, PyObject *unused)
{
    group_object *object = (group_object *)self;
    muster_group *group = group_of_object(self);

    (void)unused;
    if (!group || tell_end(self, false) < 0)
        return NULL;
    object->group = NULL;
    return PyLong_FromVoidPtr(group);
}

/* For muster.torch: the address of the group. It also uses it; `ends(address, adopt)` is called before the
 * group is freed, as tell_end has it. */
static PyObject *lend(PyObject *self, PyObject *ends)
{
    group_object *object = (group_object *)self;
    muster_group *group = group_of_object(self);

    if (!group)
        return NULL;
    if (!object->ends)
        object->ends = Py_NewRef(ends);
    return PyLong_FromVoidPtr(group);
}

static PyObject *repr(PyObject *self)
{
    const muster_group *group = ((group_object *)self)->group;

    if (!group)
        return PyUnicode_FromString("<muster.Group: left>");
    const char *name = muster_group_name(group);
    return PyUnicode_FromFormat("<muster.Group%s%s: rank %d of %d>", name[0] ? " " : "", name,
                                muster_group_rank(group), muster_group_size(group));
}

/* ---- with group: ---- */

static PyObject *enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    return group_of_object(self) ? Py_NewRef(self) : NULL;
}

/* Leaves the group. The world is everybody's who calls init(), and stays until the process ends. */
static PyObject *leave_block(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (self == state_of_module()->world || !((group_object *)self)->group)
        Py_RETURN_NONE;
    return leave(self, NULL);
}

#define WITH_KEYWORDS(function) (PyCFunction)(void (*)(void))(function)

static PyMethodDef methods[] = {
    { "rank", rank, METH_NOARGS, "rank($self)\n--\n\nThis process's number in the group." },
    { "size", size, METH_NOARGS, "size($self)\n--\n\nHow many ranks the group has." },
    { "split", WITH_KEYWORDS(group_split), METH_VARARGS | METH_KEYWORDS,
      "split($self, color, key=-1)\n--\n\nRanks of the same color form a group, in the order of key; a "
      "negative "
      "key\nis the rank here. Color -1: no group, None; but as an argument, group=None means the world, so "
      "that\nsuch a rank makes no calls for it." },
    { "dup", group_dup, METH_NOARGS, "dup($self)\n--\n\nA group of the same ranks, apart from this one." },
    { "subset", group_subset, METH_VARARGS,
      "subset($self, ranks, /)\n--\n\nA group of these ranks, in this order; only they call it, with the "
      "same "
      "list." },
    { "shrink", group_shrink, METH_NOARGS,
      "shrink($self)\n--\n\nA group of the ranks that are left, when some have died; all of them call it." },
    { "grow", group_grow, METH_NOARGS,
      "grow($self)\n--\n\nThe same, with the processes that replace the dead (muster run --on-failure "
      "respawn)." },
    { "translate", translate, METH_VARARGS,
      "translate($self, rank, other, /)\n--\n\nThe rank that this group's member has in another group; None: "
      "it "
      "is not in it." },
    { "check", check, METH_NOARGS,
      "check($self)\n--\n\nRaises what the group is broken by, if it is. Looks whether ranks have ended; "
      "never "
      "waits." },
    { "abort", abort_group, METH_VARARGS,
      "abort($self, reason=None, /)\n--\n\nBreaks the group: all its ranks get AbortedError." },
    { "set_timeout", set_timeout, METH_O,
      "set_timeout($self, timeout, /)\n--\n\nHow many seconds one operation of this rank in the group may "
      "wait, "
      "from now on and in\ngroups made of it later; None: no limit. It holds in place of MUSTER_TIMEOUT." },
    { "set_threads", set_threads, METH_O,
      "set_threads($self, threads, /)\n--\n\nHow many threads of this rank do collectives of the group "
      "together, 1 at first: one calls them, the\nothers call help." },
    { "help", help, METH_O,
      "help($self, thread, /)\n--\n\nDoes parts of the next collective of this rank, as thread 1 to threads "
      "- 1, "
      "until it has ended, and\nraises what it raises." },
    { "__enter__", enter, METH_NOARGS, "__enter__($self)\n--\n\nThe group, which the block's end leaves." },
    { "__exit__", leave_block, METH_VARARGS,
      "__exit__($self, *exception)\n--\n\nLeaves the group, unless it is the world." },
    { "_set_timeout", set_timeout_ns, METH_VARARGS, NULL },
    { "_leave", leave, METH_NOARGS, NULL },
    { "_release", release, METH_NOARGS, NULL },
    { "_lend", lend, METH_O, NULL },
    { NULL, NULL, 0, NULL },
};

static PyMemberDef members[] = {
    { "__weaklistoffset__", T_PYSSIZET, offsetof(group_object, weak), READONLY, NULL },
    { NULL, 0, 0, 0, NULL },
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
        { Py_tp_members, members },
        { Py_tp_dealloc, group_dealloc },
        { Py_tp_repr, repr },
        { Py_tp_methods, methods },
        { Py_tp_doc, "A group of ranks that work together. Made by init() and split(). As a context manager "
                     "it is left at "
                     "the\nend of the block; the world stays, and so do arrays of muster.empty.\n\n"
                     "    >>> with muster.init().dup() as group:\n"
                     "    ...     muster.all_sum(np.array([1]), group=group).tolist()\n"
                     "    [2]" },
        { 0, NULL },
    };
    static PyType_Spec spec = { "muster.Group", sizeof(group_object), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots };

    state->group_type = PyType_FromSpec(&spec);
    return state->group_type && PyModule_AddObjectRef(module, "Group", state->group_type) == 0;
}
