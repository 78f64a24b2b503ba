/* The module muster._muster: what binding.h lists, put together, and its exceptions. */
#include "bindings/python/src/binding.h"

static module_state state;

module_state *state_of_module(void)
{
    return &state;
}

/* ---- exceptions ---- */

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

static bool add_errors(PyObject *module)
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

/* ---- the module ---- */

/* muster._arrays makes arrays; said once, when the package is imported. */
static PyObject *use_arrays(PyObject *module, PyObject *args)
{
    (void)module;
    if (!PyArg_ParseTuple(args, "OO:use_arrays", &state.as_array, &state.result))
        return NULL;
    Py_INCREF(state.as_array);
    Py_INCREF(state.result);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    { "use_arrays", use_arrays, METH_VARARGS, NULL },
    { "allocate", python_allocate, METH_VARARGS, NULL },
    { "attach", python_attach, METH_VARARGS, NULL },
    { "mark_phase", python_mark_phase, METH_VARARGS, NULL },
    { "end_rank", python_end_rank, METH_NOARGS, NULL },
    { "begin_rank", python_begin_rank, METH_NOARGS, NULL },
    { "raw", python_raw, METH_VARARGS, NULL },
    { "is_available", (PyCFunction)(void (*)(void))python_is_available, METH_VARARGS | METH_KEYWORDS,
      "is_available(backend='any') -> bool\n\nWhether init can use that backend: any, shm, or MLX's mpi and "
      "ring, which mean\nmuster here." },
    { "init", (PyCFunction)(void (*)(void))python_init, METH_VARARGS | METH_KEYWORDS,
      "init(strict=False, backend='any') -> Group\n\nThe group of all ranks that muster run has started; "
      "waits until all have come.\nWithout it a group of one, or, when strict, RuntimeError." },
    { NULL, NULL, 0, NULL },
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "muster._muster", NULL, -1, methods, NULL, NULL, NULL, NULL
};

PyMODINIT_FUNC PyInit__muster(void);

PyMODINIT_FUNC PyInit__muster(void)
{
    PyObject *module = PyModule_Create(&definition);

    muster_set_interrupt(has_interrupted, NULL); /* here, as it must not wait with Python's lock held */
    if (module && PyModule_AddFunctions(module, python_operations) == 0 && make_group_type(module, &state) &&
        make_memory_type(module, &state) && add_errors(module) &&
        PyModule_AddStringConstant(module, "__version__", muster_version()) == 0)
        return module;
    Py_XDECREF(module);
    return NULL;
}
