/* muster.Message: what is known of a message that has come. */
#ifndef MUSTER_PYTHON_MESSAGE_H
#define MUSTER_PYTHON_MESSAGE_H

#include "bindings/python/src/state.h"

/* Takes what the module needs of muster._messages. */
PyObject *python_use_messages(PyObject *module, PyObject *args);

/* Fills a muster.Message. */
bool fill_message(PyObject *message, const muster_message *has_come);

#endif
