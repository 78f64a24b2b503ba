/*
 * The parts of muster's Python module, which is of the limited C interface of Python 3.11, so that one build
 * serves all later versions: CMakeLists.txt sets Py_LIMITED_API where there is one that has buffers. module.c
 * puts the parts together.
 */
#ifndef MUSTER_PYTHON_BINDING_H
#define MUSTER_PYTHON_BINDING_H

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

/* ---- what all parts use: errors.c ---- */

module_state *state_of_module(void);

bool make_errors(PyObject *module);

/* The exception of a call that failed, with its sentence; returns NULL. What a signal handler has raised
 * while it waited is left as it is. */
PyObject *raise_status(muster_status status);

/* Takes the exception that is raised; NULL: none is. */
PyObject *take_exception(void);

/* Raises an exception that was taken, which stays the caller's; returns NULL. */
PyObject *raise_again(PyObject *exception);

/* Seconds, None: 0; false with an exception, whose sentence ends with `instead`. */
bool timeout_of(PyObject *object, const char *instead, int64_t *timeout_ns);

/* ---- groups: group.c ---- */

bool make_group_type(PyObject *module, module_state *state);
PyObject *wrap_group(muster_group *group);
void free_group(muster_group *group); /* one that no Group has */

/* Of a Group: whether this process has made it, and what it has. */
bool is_own(const PyObject *group);
muster_group *group_in(const PyObject *group);

/* The C group of a Group; NULL with an exception. At the beginning of each call on a group. */
muster_group *group_of_object(PyObject *object);

PyObject *python_begin_rank(PyObject *module, PyObject *unused);
PyObject *python_end_rank(PyObject *module, PyObject *unused);

/* ---- the log: log.c ---- */

/* Before a world is made, or attached to: what it logs goes to Python's logger. False with an exception. */
bool use_log_of_world(int rank);
bool use_log_of_config(muster_config *config);

/* Tells what has been kept. Where Python may run. False with what ends programs, such as KeyboardInterrupt:
 * what else a handler raises is said, and forgotten. */
bool tell_log(void);

PyObject *python_use_log(PyObject *module, PyObject *args);
PyObject *python_end_log(PyObject *module, PyObject *unused);

/* ---- the world: world.c ---- */

/* The C group of a Group, or of the default world for None; NULL with an exception. */
muster_group *group_of_argument(PyObject *object);

/* Asked while a rank waits: lets signal handlers run, which may raise; Ctrl-C does. */
bool has_interrupted(void *unused);

PyObject *python_init(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *python_has_world(PyObject *module, PyObject *unused);
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

/* Says why `object` cannot be written to where it lies, as an exception: view_open has said 0. */
void raise_unwritable(PyObject *object, const char *call);

/* Whether muster knows what the elements are, and does not only move them; false: with an exception. */
bool view_is_of_numbers(const view *view);

/* `name`: a string, or whatever muster._dtypes takes for a dtype. */
bool dtype_of_name(PyObject *name, muster_dtype *dtype); /* false: with an exception */

/* ---- functions of the program's that combine: ops.c ---- */

/* Whether this thread is in one. It has locks of muster's, so it must not call muster. */
bool is_combining(void);
PyObject *refuse_combining(void);

PyObject *python_use_ops(PyObject *module, PyObject *args);
PyObject *python_end_ops(PyObject *module, PyObject *unused); /* the interpreter is about to end */

/* ---- what cannot go yet: leftovers.c ---- */

/* The first member of what stays. `end`: ends it, if it can go now; false: not yet. */
typedef struct leftover {
    struct leftover *next;
    bool (*end)(struct leftover *leftover);
} leftover;

/* Keeps it until `end` succeeds, which is tried at the beginning of calls. */
void leave_over(leftover *leftover, bool (*end)(struct leftover *leftover));

/* At the beginning of calls: ends what can go. */
void look_at_leftovers(void);

typedef void (*release_fn)(void *object);

/* Releases an object of muster's whose last reference has gone: now, or when no function combines. */
void release_object(release_fn release, void *object);

/* ---- for muster.torch: raw.c ---- */

PyObject *python_attach(PyObject *module, PyObject *args);
PyObject *python_raw(PyObject *module, PyObject *args);
PyObject *python_premul_sum(PyObject *module, PyObject *args);
PyObject *python_op_free(PyObject *module, PyObject *args);

/* ---- operations: table.c, with counts by rank: varied.c, messages: message.c, arena memory: memory.c ----
 */

PyObject *python_varied(PyObject *module, PyObject *args);
extern PyMethodDef python_operations[];
bool make_request_type(PyObject *module, module_state *state);
PyObject *python_use_messages(PyObject *module, PyObject *args);
bool make_memory_type(PyObject *module, module_state *state);
PyObject *python_allocate(PyObject *module, PyObject *args);

/* ---- grids: grid.c ---- */

PyObject *python_grid_dims(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *python_grid_coordinates(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *python_grid_neighbour(PyObject *module, PyObject *args, PyObject *keywords);

/* ---- shares: share.c, queues: queue.c ---- */

bool make_share_types(module_state *state);
PyObject *python_share(PyObject *module, PyObject *args);
bool make_queue_type(module_state *state);
PyObject *python_queue(PyObject *module, PyObject *args);

#endif
