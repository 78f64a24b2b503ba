/*
 * What the module knows once it is imported. All parts of muster's Python module include this header; they
 * use the limited C interface of Python 3.11, so that one build serves all later versions: CMakeLists.txt
 * sets Py_LIMITED_API where there is one that has buffers. module.c puts the parts together.
 */
#ifndef MUSTER_PYTHON_STATE_H
#define MUSTER_PYTHON_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h> /* after it */

#include <stdbool.h>

#include "muster/muster.h"

/* What the module knows once it is imported; one interpreter's. */
typedef struct module_state {
    PyObject *group_type, *memory_type, *share_type, *block_type, *queue_type, *entry_type, *request_type;
    PyObject *errors[MUSTER_ERR_UNAVAILABLE + 1]; /* exceptions, by status */
    PyObject *world;                              /* the group that init gave out; NULL: none yet */
    PyObject *as_array, *result, *refuse_masked;  /* of muster._arrays */
    PyObject *refuse_tensor, *name_of;            /* of muster._arrays, and of muster._dtypes */
    PyObject *ndarray;                            /* numpy's type; None: there is no numpy */
    PyObject *op_type, *combine;                  /* of muster._ops */
    PyObject *log_level, *emit;                   /* of muster._log */
    PyObject *message_type, *any_source, *any_tag, *rank_none; /* of muster._messages */
    int ranks_begun; /* how often this process was forked to be a rank */
} module_state;

module_state *state_of_module(void);

#endif
