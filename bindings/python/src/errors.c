/* What the module knows once it is imported, and its exceptions. */
#include "bindings/python/src/binding.h"

static module_state state;

module_state *state_of_module(void)
{
    return &state;
}

PyObject *raise_status(muster_status status)
{
    const char *sentence = muster_error_detail();

    if (PyErr_Occurred()) /* a signal handler's, which ended the wait */
        return NULL;
    PyErr_SetString(state.errors[status] ? state.errors[status] : state.errors[MUSTER_OK],
                    sentence[0] ? sentence : muster_status_string(status));
    return NULL;
}

static bool add_error(PyObject *module, muster_status status, const char *name, PyObject *base,
                      const char *doc)
{
    char whole[64];

    PyOS_snprintf(whole, sizeof whole, "muster.%s", name);
    state.errors[status] = PyErr_NewExceptionWithDoc(whole, doc, base, NULL);
    return state.errors[status] && PyModule_AddObjectRef(module, name, state.errors[status]) == 0;
}

bool make_errors(PyObject *module)
{
    static const struct {
        muster_status status;
        const char *name, *doc;
    } rows[] = {
        { MUSTER_ERR_PEER_DIED, "PeerDiedError",
          "A rank died or left while others needed it; the message says how." },
        { MUSTER_ERR_TIMED_OUT, "TimedOutError", "The deadline that the user set has passed." },
        { MUSTER_ERR_MISMATCH, "MismatchError",
          "Ranks asked for different things; the message shows both sides." },
        { MUSTER_ERR_DEADLOCK, "DeadlockError",
          "Ranks wait for each other in a cycle, which the message spells out." },
        { MUSTER_ERR_ABORTED, "AbortedError", "A rank aborted the group, or was interrupted." },
    };

    if (!add_error(module, MUSTER_OK, "Error", PyExc_RuntimeError, "What muster's operations fail with."))
        return false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!add_error(module, rows[i].status, rows[i].name, state.errors[MUSTER_OK], rows[i].doc))
            return false;
    state.errors[MUSTER_ERR_INVALID] = Py_NewRef(PyExc_ValueError);
    state.errors[MUSTER_ERR_NO_MEMORY] = Py_NewRef(PyExc_MemoryError);
    state.errors[MUSTER_ERR_NO_SPACE] = Py_NewRef(PyExc_MemoryError);
    state.errors[MUSTER_ERR_PERMISSION] = Py_NewRef(PyExc_PermissionError);
    return true;
}
