/* muster.Message: what is known of a message that has come. Of operation.h. */
#include "bindings/python/src/message.h"

PyObject *python_use_messages(PyObject *module, PyObject *args)
{
    module_state *state = state_of_module();
    PyObject **parts[] = { &state->message_type, &state->any_source, &state->any_tag, &state->rank_none };

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOO:use_messages", parts[0], parts[1], parts[2], parts[3]))
        return NULL;
    for (int i = 0; i < 4; i++)
        Py_INCREF(*parts[i]);
    Py_RETURN_NONE;
}

bool fill_message(PyObject *message, const muster_message *has_come)
{
    const module_state *state = state_of_module();
    bool nothing = has_come->source == MUSTER_RANK_NONE;
    PyObject *filled =
        nothing ? PyObject_CallMethod(message, "_fill", "OOiO", state->rank_none, state->any_tag, 0, Py_None)
                : PyObject_CallMethod(message, "_fill", "iins", has_come->source, has_come->tag,
                                      (Py_ssize_t)has_come->count, muster_dtype_name(has_come->dtype));

    Py_XDECREF(filled);
    return filled != NULL;
}
