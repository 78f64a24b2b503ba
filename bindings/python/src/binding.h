/*
 * The parts of muster's Python module, which is of the limited C interface of Python 3.11, so that one build
 * serves all later versions. module.c puts them together.
 */
#ifndef MUSTER_PYTHON_BINDING_H
#define MUSTER_PYTHON_BINDING_H

#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

#include "muster/muster.h"

/* What the module knows once it is imported; one interpreter's. */
typedef struct module_state {
    PyObject *group_type, *memory_type, *share_type, *block_type, *queue_type;
    PyObject *errors[MUSTER_ERR_UNAVAILABLE + 1]; /* exceptions, by status */
    PyObject *world;                              /* the group that init gave out; NULL: none yet */
    PyObject *as_array, *result;                  /* of muster._arrays */
    int ranks_begun;                              /* how often this process was forked to be a rank */
} module_state;

/* ---- what all parts use: errors.c ---- */

module_state *state_of_module(void);

bool make_errors(PyObject *module);

/* The exception of a call that failed, with its sentence; returns NULL. What a signal handler has raised
 * while it waited is left as it is. */
PyObject *raise_status(muster_status status);

/* ---- groups: group.c ---- */

bool make_group_type(PyObject *module, module_state *state);
PyObject *wrap_group(muster_group *group);

/* The C group of a Group, or of the default world for None; NULL with an exception. */
muster_group *group_of(PyObject *object);

/* Asked while a rank waits: lets signal handlers run, which may raise; Ctrl-C does. */
bool has_interrupted(void *unused);

PyObject *python_begin_rank(PyObject *module, PyObject *unused);
PyObject *python_end_rank(PyObject *module, PyObject *unused);
PyObject *python_init(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *python_mark_phase(PyObject *module, PyObject *args);
PyObject *python_is_available(PyObject *module, PyObject *args, PyObject *keywords);

/* ---- memory: view.c ---- */

enum { VIEW_DIMENSIONS_MAX = 32 };

/* Somebody's elements, by the buffer protocol or by DLPack, in C order. */
typedef struct view {
    void *data;
    size_t count;
    muster_dtype dtype;
    int dimensions;
    Py_ssize_t shape[VIEW_DIMENSIONS_MAX];
    Py_buffer buffer;
    bool has_buffer;
    PyObject *capsule; /* DLPack's */
} view;

/* 1: open. 0: it is not to be had so, without an exception (a number, a list, not in C order). -1: exception.
 * `dtype`: the name of what the elements are to be taken for, or NULL. */
int view_open(PyObject *object, bool writable, PyObject *dtype, view *view);
void view_close(view *view);

bool dtype_of_name(PyObject *name, muster_dtype *dtype); /* false: with an exception */

/* ---- for muster.torch: raw.c ---- */

PyObject *python_attach(PyObject *module, PyObject *args);
PyObject *python_raw(PyObject *module, PyObject *args);
PyObject *python_premul_sum(PyObject *module, PyObject *args);
PyObject *python_op_free(PyObject *module, PyObject *args);

/* ---- operations: operations.c, with counts by rank: varied.c, arena memory: memory.c ---- */

bool op_of_name(PyObject *name, muster_op *op); /* false: with an exception */

PyObject *python_varied(PyObject *module, PyObject *args);
extern PyMethodDef python_operations[];
bool make_memory_type(PyObject *module, module_state *state);
PyObject *python_allocate(PyObject *module, PyObject *args);

/* ---- shares: share.c, queues: queue.c ---- */

bool make_share_types(module_state *state);
PyObject *python_share(PyObject *module, PyObject *args);
bool make_queue_type(module_state *state);
PyObject *python_queue(PyObject *module, PyObject *args);

#endif
