/* The log, which goes to Python's logger. */
#ifndef MUSTER_PYTHON_LOG_H
#define MUSTER_PYTHON_LOG_H

#include "bindings/python/src/state.h"

/* Before a world is made, or attached to: what it logs goes to Python's logger. False with an exception. */
bool use_log_of_world(int rank);
bool use_log_of_config(muster_config *config);

/* Tells what has been kept. Where Python may run. False with what ends programs, such as KeyboardInterrupt:
 * what else a handler raises is said, and forgotten. */
bool tell_log(void);

PyObject *python_use_log(PyObject *module, PyObject *args);
PyObject *python_end_log(PyObject *module, PyObject *unused);

#endif
