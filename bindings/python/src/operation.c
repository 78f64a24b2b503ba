/* What all operations have in common. */
#include "bindings/python/src/operation.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "bindings/python/src/errors.h"
#include "bindings/python/src/message.h"
#include "bindings/python/src/view.h"
#include "bindings/python/src/world.h"

operation *operation_begin(operation *place, const char *name, PyObject *group, bool started)
{
    muster_group *of = group_of_argument(group);

    if (!of)
        return NULL;
    operation *made = started ? PyMem_Malloc(sizeof *made) : place;
    if (!made)
        return (operation *)(void *)PyErr_NoMemory();
    memset(made, 0, offsetof(operation, has_come));
    made->name = name;
    made->started = started;
    made->group = of;
    made->owner = Py_NewRef(group && group != Py_None ? group : state_of_module()->world);
    return made;
}

bool operation_reads(operation *operation, PyObject *x, PyObject *dtype)
{
    operation->kept = Py_NewRef(x);
    int opened = view_open(x, false, dtype, &operation->in);
    if (opened == 0) {
        PyObject *made = PyObject_CallFunctionObjArgs(state_of_module()->as_array, x, NULL);

        Py_DECREF(operation->kept);
        operation->kept = made;
        opened = made ? view_open(made, false, dtype, &operation->in) : -1;
        if (opened == 0)
            PyErr_Format(PyExc_TypeError,
                         "%s(): the elements of %R cannot be read; expected an array or numbers",
                         operation->name, x);
    }
    operation->has_in = opened == 1;
    if (operation->has_in && operation->reduces && !view_is_of_numbers(&operation->in))
        return false;
    if (operation->has_in) {
        operation->count = operation->in.count;
        operation->dtype = operation->in.dtype;
    }
    return operation->has_in;
}

PyObject *operation_makes_like(const operation *operation, PyObject *shape, PyObject *dtype)
{
    bool is_said = dtype && dtype != Py_None;
    PyObject *name = is_said ? PyUnicode_FromString(muster_dtype_name(operation->in.dtype)) : NULL;
    PyObject *made =
        shape && (name || !is_said)
            ? PyObject_CallFunctionObjArgs(state_of_module()->result, operation->kept, shape, name, NULL)
            : NULL;

    Py_XDECREF(name);
    Py_XDECREF(shape);
    return made;
}

bool operation_writes(operation *operation, PyObject *array, PyObject *dtype)
{
    int opened = view_open(array, true, dtype, &operation->out);

    if (opened == 0)
        raise_unwritable(array, operation->name);
    operation->has_out = opened == 1;
    if (operation->has_out && !operation->has_in) {
        operation->count = operation->out.count;
        operation->dtype = operation->out.dtype;
    }
    return operation->has_out;
}

void operation_close(operation *operation)
{
    if (operation->has_in)
        view_close(&operation->in);
    if (operation->has_out)
        view_close(&operation->out);
    PyMem_Free(operation->in_counts);
    PyMem_Free(operation->out_counts);
    PyMem_Free(operation->in_displacements);
    PyMem_Free(operation->out_displacements);
    Py_XDECREF(operation->kept);
    Py_XDECREF(operation->function);
    Py_XDECREF(operation->op_name);
    Py_XDECREF(operation->error);
    Py_XDECREF(operation->result);
    Py_XDECREF(operation->message);
    Py_XDECREF(operation->owner);
    if (operation->started)
        PyMem_Free(operation);
}

PyObject *operation_fail(operation *operation)
{
    operation_close(operation);
    return NULL;
}

/* ---- what comes of it ---- */

PyObject *operation_outcome(operation *operation, muster_status status)
{
    if (PyErr_Occurred()) /* a signal handler's, which ended the wait */
        return NULL;
    if (operation->error)
        return raise_again(operation->error);
    if (status != MUSTER_OK)
        return raise_status(status);
    if (operation->message && !fill_message(operation->message, &operation->has_come))
        return NULL;
    return Py_NewRef(operation->result ? operation->result : Py_None);
}

bool is_of_this_process(const operation *operation)
{
    return operation->process == (long)getpid();
}
