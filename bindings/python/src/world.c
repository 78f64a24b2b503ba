/* The world: init, is_available, and what a rank says of itself. */
#include "bindings/python/src/world.h"

#include <stdlib.h>
#include <string.h>

#include "bindings/python/src/combining.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/group.h"
#include "bindings/python/src/leftovers.h"
#include "bindings/python/src/log.h"

/* All of MLX's names mean muster here: a program that names one asks for a group, and gets it. "mpi" also has
 * the ranks that MPI's launcher has started, where it has. */
static bool is_ours(const char *backend)
{
    static const char *const names[] = { "any", "muster", "shm", "mpi", "ring", "nccl", "jaccl" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(backend, names[i]) == 0)
            return true;
    return false;
}

PyObject *python_is_available(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "backend", NULL };
    const char *backend = "any";

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|s:is_available", names, &backend))
        return NULL;
    return PyBool_FromLong(is_ours(backend));
}

bool has_interrupted(void *unused)
{
    PyGILState_STATE held = PyGILState_Ensure();
    bool raised = PyErr_CheckSignals() < 0 || !tell_log();

    (void)unused;
    PyGILState_Release(held);
    return raised;
}

extern char **environ;

/* What a rank's log would say, which nobody may have asked for. Once, as a world is made once. */
static bool warn_of_environment(const muster_group *world)
{
    int size;
    const char *variable = muster_group_size(world) == 1 ? muster_other_launcher(&size) : NULL;

    if (variable &&
        PyErr_WarnFormat(
            PyExc_RuntimeWarning, 1,
            "this process is alone in its world, though %s is %d: start the program with muster run "
            "-n %d -- python ..., or, if that launcher is MPI's, call muster.init(backend=\"mpi\")",
            variable, size, size) < 0)
        return false;
    for (char **setting = environ; *setting && muster_group_rank(world) == 0; setting++) {
        char name[64];

        PyOS_snprintf(name, sizeof name, "%.*s", (int)strcspn(*setting, "="), *setting);
        if (!muster_is_variable(name) &&
            PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "nobody reads %s; man muster lists the variables",
                             name) < 0)
            return false;
    }
    return true;
}

/* For the log, whose lines begin before the world is there. */
static int rank_of_environment(void)
{
    const char *rank = getenv("MUSTER_RANK");

    return rank && *rank ? atoi(rank) : 0;
}

static PyObject *attach(bool strict, bool by_mpi)
{
    module_state *state = state_of_module();
    muster_group *world = NULL;
    muster_status status;

    if (is_combining())
        return refuse_combining();
    if (!use_log_of_world(rank_of_environment()))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = muster_init(strict, by_mpi ? "mpi" : NULL, &world);
    Py_END_ALLOW_THREADS
    if (status == MUSTER_ERR_UNAVAILABLE) {
        PyErr_Format(PyExc_RuntimeError, "[distributed] Couldn't initialize any backend: %s",
                     muster_error_detail());
        return NULL;
    }
    if (status != MUSTER_OK)
        return raise_status(status);
    if (state->world && is_own(state->world)) { /* two threads at once: one is enough */
        free_group(world);
        return Py_NewRef(state->world);
    }
    PyObject *parents = state->world; /* freeing it here does nothing */
    state->world = wrap_group(world);
    Py_XDECREF(parents);
    if (state->world)
        ((group_object *)state->world)->in_world = true;
    if (!state->world || !warn_of_environment(world))
        return NULL; /* warnings are errors for those who ask for it; the world is there */
    return Py_NewRef(state->world);
}

PyObject *python_init(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "strict", "backend", NULL };
    const char *backend = "any";
    int strict = 0;

    (void)module;
    if (args && !PyArg_ParseTupleAndKeywords(args, keywords, "|ps:init", names, &strict, &backend))
        return NULL;
    if (!is_ours(backend))
        return PyErr_Format(
            PyExc_ValueError,
            "[distributed] The only valid values for backend are 'any', 'muster', 'shm', 'mpi', 'nccl', "
            "'jaccl' and 'ring' but '%s' was provided.",
            backend);
    module_state *state = state_of_module();
    bool by_mpi = strcmp(backend, "mpi") == 0;
    if (state->world && is_own(state->world) &&
        !((strict || by_mpi) && muster_group_size(group_in(state->world)) == 1)) /* which may be refused */
        return Py_NewRef(state->world);
    return attach(strict != 0, by_mpi);
}

muster_group *group_of_argument(PyObject *object)
{
    module_state *state = state_of_module();

    if (object && object != Py_None)
        return group_of_object(object);
    if (is_combining())
        return refuse_combining(), NULL;
    look_at_leftovers();
    if (!state->world || !is_own(state->world)) {
        PyObject *made = python_init(NULL, NULL, NULL);

        if (!made)
            return NULL;
        Py_DECREF(made); /* the state keeps it */
    }
    return group_of_object(state->world);
}

/* For muster.init and muster.torch, which attach in ways of their own: whether there is a world already. */
PyObject *python_has_world(PyObject *module, PyObject *unused)
{
    module_state *state = state_of_module();

    (void)module;
    (void)unused;
    return PyBool_FromLong(state->world && is_own(state->world));
}

/* mark_phase(name, group) of muster._phase */
PyObject *python_mark_phase(PyObject *module, PyObject *args)
{
    const char *name;
    PyObject *object = Py_None;

    (void)module;
    if (!PyArg_ParseTuple(args, "s|O:phase", &name, &object))
        return NULL;
    muster_group *group = group_of_argument(object);
    if (!group)
        return NULL;
    muster_status status = muster_phase(name, group);
    if (status != MUSTER_OK)
        return raise_status(status);
    Py_RETURN_NONE;
}
