/* The module muster._muster: its parts, put together. */
#include "bindings/python/src/state.h"

#include "bindings/python/src/errors.h"
#include "bindings/python/src/formats.h"
#include "bindings/python/src/grid.h"
#include "bindings/python/src/group.h"
#include "bindings/python/src/group_type.h"
#include "bindings/python/src/log.h"
#include "bindings/python/src/memory.h"
#include "bindings/python/src/message.h"
#include "bindings/python/src/ops.h"
#include "bindings/python/src/queue.h"
#include "bindings/python/src/raw.h"
#include "bindings/python/src/requests.h"
#include "bindings/python/src/share.h"
#include "bindings/python/src/table.h"
#include "bindings/python/src/varied.h"
#include "bindings/python/src/world.h"

/* The module's state is the process's. A subinterpreter would have the types and the world of another one;
 * an isolated one of Python 3.12 refuses such modules by itself. */
static bool is_main_interpreter(void)
{
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) == 0)
        return true;
    PyErr_SetString(PyExc_ImportError,
                    "muster cannot be imported in a subinterpreter: a process is one rank, with one "
                    "interpreter; import it in the main one, or start processes by muster run");
    return false;
}

/* For the package, which calls it first: Python makes a second import of what the first has made. */
static PyObject *refuse_subinterpreter(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    if (!is_main_interpreter())
        return NULL;
    Py_RETURN_NONE;
}

/* Takes what the module needs of muster._arrays. The package calls it once, when it is imported. */
static PyObject *use_arrays(PyObject *module, PyObject *args)
{
    module_state *state = state_of_module();

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOOO:use_arrays", &state->as_array, &state->result, &state->refuse_masked,
                          &state->refuse_tensor, &state->name_of, &state->ndarray))
        return NULL;
    Py_INCREF(state->as_array);
    Py_INCREF(state->result);
    Py_INCREF(state->refuse_masked);
    Py_INCREF(state->refuse_tensor);
    Py_INCREF(state->name_of);
    Py_INCREF(state->ndarray);
    Py_RETURN_NONE;
}

static PyObject *cpu_count(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromLong(muster_cpu_count());
}

static PyMethodDef methods[] = {
    { "refuse_subinterpreter", refuse_subinterpreter, METH_NOARGS, NULL },
    { "use_arrays", use_arrays, METH_VARARGS, NULL },
    { "use_messages", python_use_messages, METH_VARARGS, NULL },
    { "use_log", python_use_log, METH_VARARGS, NULL },
    { "end_log", python_end_log, METH_NOARGS, NULL },
    { "use_ops", python_use_ops, METH_VARARGS, NULL },
    { "end_ops", python_end_ops, METH_NOARGS, NULL },
    { "allocate", python_allocate, METH_VARARGS, NULL },
    { "share", python_share, METH_VARARGS, NULL },
    { "queue", python_queue, METH_VARARGS, NULL },
    { "attach", python_attach, METH_VARARGS, NULL },
    { "has_world", python_has_world, METH_NOARGS, NULL },
    { "mark_phase", python_mark_phase, METH_VARARGS, NULL },
    { "end_rank", python_end_rank, METH_NOARGS, NULL },
    { "begin_rank", python_begin_rank, METH_NOARGS, NULL },
    { "raw", python_raw, METH_VARARGS, NULL },
    { "premul_sum", python_premul_sum, METH_VARARGS, NULL },
    { "op_free", python_op_free, METH_VARARGS, NULL },
    { "varied", python_varied, METH_VARARGS, NULL },
    { "timeout_ns", python_timeout_ns, METH_O, NULL },
    { "elements_of", python_elements_of, METH_O, NULL },
    { "holds_addresses", python_holds_addresses, METH_O, NULL },
    { "is_available", (PyCFunction)(void (*)(void))python_is_available, METH_VARARGS | METH_KEYWORDS,
      "is_available($module, backend='any')\n--\n\nWhether init can use that backend: any, muster, shm, and "
      "MLX's mpi, ring, nccl and jaccl, "
      "which\nall mean muster here." },
    { "init", (PyCFunction)(void (*)(void))python_init, METH_VARARGS | METH_KEYWORDS, NULL },
    { "cpu_count", cpu_count, METH_NOARGS,
      "cpu_count($module)\n--\n\nHow many CPUs this process can use: its affinity, limited by the quota of "
      "its "
      "control group.\n\n    >>> muster.cpu_count() >= 1\n    True\n" },
    { "grid_dims", (PyCFunction)(void (*)(void))python_grid_dims, METH_VARARGS | METH_KEYWORDS,
      "grid_dims($module, size, dims)\n--\n\nThe lengths of a grid of size ranks: dims with its zeros "
      "chosen, as "
      "equal as possible;\na number stands for that many zeros.\n\n"
      "    >>> muster.grid_dims(12, 2), muster.grid_dims(12, [0, 6])\n    ((4, 3), (2, 6))\n" },
    { "grid_coordinates", (PyCFunction)(void (*)(void))python_grid_coordinates, METH_VARARGS | METH_KEYWORDS,
      "grid_coordinates($module, dims, rank)\n--\n\nWhere a rank is in the grid. The last coordinate varies "
      "fastest.\n\n    >>> muster.grid_coordinates((4, 3), 5)\n    (1, 2)\n" },
    { "grid_neighbour", (PyCFunction)(void (*)(void))python_grid_neighbour, METH_VARARGS | METH_KEYWORDS,
      "grid_neighbour($module, dims, rank, dimension, distance, periodic=False)\n--\n\nThe rank that is so "
      "many "
      "steps away along a dimension; RANK_NONE, with which messages do\nnothing, beyond the edge, unless the "
      "grid is periodic there.\n\n"
      "    >>> [muster.grid_neighbour((4, 3), 5, 1, step) for step in (-1, 1)]\n    [4, muster.RANK_NONE]\n"
      "    >>> muster.grid_neighbour((4, 3), 5, 1, 1, periodic=True)\n    3\n" },
    { NULL, NULL, 0, NULL },
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "muster._muster", NULL, -1, methods, NULL, NULL, NULL, NULL
};

PyMODINIT_FUNC PyInit__muster(void);

PyMODINIT_FUNC PyInit__muster(void)
{
    PyObject *module = is_main_interpreter() ? PyModule_Create(&definition) : NULL;

    if (!module)
        return NULL;
    muster_set_interrupt(has_interrupted, NULL); /* here, as it must not wait with Python's lock held */
    if (PyModule_AddFunctions(module, python_operations) == 0 && make_group_type(module, state_of_module()) &&
        make_memory_type(module, state_of_module()) && make_request_type(module, state_of_module()) &&
        make_share_types(state_of_module()) && make_queue_type(state_of_module()) && make_errors(module) &&
        PyModule_AddStringConstant(module, "__version__", muster_version()) == 0)
        return module;
    Py_DECREF(module);
    return NULL;
}
