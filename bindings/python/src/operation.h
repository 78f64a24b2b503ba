/*
 * One operation on elements, from its arguments until it is over, for the files that make operations. A
 * blocking one is on the stack of its call. A started one is on the heap: it has the arrays, the counts and
 * the group until it is over, whatever becomes of its Request.
 */
#ifndef MUSTER_PYTHON_OPERATION_H
#define MUSTER_PYTHON_OPERATION_H

#include "bindings/python/src/binding.h"

typedef struct operation {
    leftover leftover; /* of one without a Request: orphans.c */
    const char *name;  /* of the Python function */
    /* Does it, with what is below: blocks if `request` is NULL, else starts it. Without the interpreter's
     * lock. */
    muster_status (*call)(struct operation *operation, muster_request *request);
    int kind; /* which of those that `call` does */
    bool started, reduces;
    PyObject *owner; /* the Group */
    muster_group *group;

    size_t count;
    muster_dtype dtype;
    muster_op op;
    int root; /* or the destination */
    int source, tag, source_tag;
    size_t *in_counts, *out_counts, *in_displacements, *out_displacements;
    PyObject *kept;     /* where `in` is */
    PyObject *function; /* of the program, by which it reduces; NULL: none */
    PyObject *op_name;  /* of that, as bytes */
    PyObject *error;    /* what the function has raised */

    PyObject *result;     /* NULL: None */
    PyObject *message;    /* a muster.Message that is to be filled; NULL: none */
    bool has_in, has_out; /* which of the views are open */

    /* What is not set before it is needed. */
    muster_message has_come; /* what the message is filled with */
    view in, out;
    /* of a started one */
    muster_request request;
    const void *waiter; /* the call that waits for it; NULL: none */
    long process;       /* that has started it */
} operation;

/* In `call`: a function of C, or the one that starts it. */
#define EITHER(function, ...)                                                                                \
    (request ? function##_start(__VA_ARGS__, o->group, request) : function(__VA_ARGS__, o->group))

/* ---- operation.c ---- */

/* `place` for a blocking one. NULL with an exception. */
operation *operation_begin(operation *place, const char *name, PyObject *group, bool started);

/* Opens x for reading; what is no array in C order yet is made one. False with an exception, as those below.
 */
bool operation_reads(operation *operation, PyObject *x, PyObject *dtype);

/* Opens `array` for the result. */
bool operation_writes(operation *operation, PyObject *array, PyObject *dtype);

/* Ends a call that has raised an exception; returns NULL. */
PyObject *operation_fail(operation *operation);

/* The result of one that is over, as a new reference; or NULL with its exception. */
PyObject *operation_outcome(operation *operation, muster_status status);

/* Gives up all that it has. */
void operation_close(operation *operation);

/* Whether this process has started it: in a forked child nothing will write to its arrays. */
bool is_of_this_process(const operation *operation);

/* ---- perform.c ---- */

/* Each of these ends the call: they return the result, or a Request of a started one, or NULL with an
 * exception; what is not needed any more is given up. */
PyObject *operation_perform(operation *operation);
PyObject *operation_done(operation *operation); /* nothing is to be done: the result is known */

/* ---- message.c ---- */

/* Fills a muster.Message. */
bool fill_message(PyObject *message, const muster_message *has_come);

/* ---- ops.c ---- */

/* Takes the op: a name, or a muster.Op; NULL: the operation has one already. */
bool operation_takes_op(operation *operation, PyObject *op);

/* Makes the op that calls the function of the program, and frees it. */
muster_status operation_makes_op(operation *operation);
void operation_frees_op(operation *operation);

/* ---- requests.c ---- */

/* A Request of a started operation, or of one that is over with this result, whose reference it takes. */
PyObject *make_request(const char *name);
void request_begins(PyObject *request, operation *operation);
void request_is_over(PyObject *request, PyObject *result);

/* ---- orphans.c ---- */

/* The operation has no Request any more: it is kept until it is over. */
void orphan_keep(operation *operation);

/* ---- arguments of collectives: operations.c, and the shapes of their results, as MLX has them: shapes.c
 * ---- */

/* What a call was given; NULL: not given. */
typedef struct call {
    const char *name;
    bool started;
    PyObject *x, *group, *out, *dtype, *op, *root;
} call;

typedef enum shape_rule { AS_X, GATHERED, SCATTERED, EXCHANGED } shape_rule;

/* With the input open: opens `out`, or a new array of the shape that the rule says. */
bool operation_writes_shape(operation *operation, const call *call, shape_rule rule);

/* ---- the functions of the module, and their table: table.c ---- */

#define FAST_FUNCTION(name)                                                                                  \
    PyObject *python_##name(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
#define SLOW_FUNCTION(name) PyObject *python_##name(PyObject *module, PyObject *args, PyObject *keywords)
#define COLLECTIVE_FUNCTION(name)                                                                            \
    FAST_FUNCTION(name);                                                                                     \
    FAST_FUNCTION(name##_start)

COLLECTIVE_FUNCTION(all_sum);
COLLECTIVE_FUNCTION(all_max);
COLLECTIVE_FUNCTION(all_min);
COLLECTIVE_FUNCTION(all_reduce);
COLLECTIVE_FUNCTION(all_gather);
COLLECTIVE_FUNCTION(sum_scatter);
COLLECTIVE_FUNCTION(reduce_scatter);
COLLECTIVE_FUNCTION(all_to_all);
COLLECTIVE_FUNCTION(scan);
COLLECTIVE_FUNCTION(exscan);
COLLECTIVE_FUNCTION(broadcast);
COLLECTIVE_FUNCTION(reduce);
COLLECTIVE_FUNCTION(gather);
COLLECTIVE_FUNCTION(scatter);
SLOW_FUNCTION(barrier);
SLOW_FUNCTION(barrier_start);

/* messages.c */
SLOW_FUNCTION(send);
SLOW_FUNCTION(send_start);
SLOW_FUNCTION(recv_into);
SLOW_FUNCTION(recv_into_start);
SLOW_FUNCTION(sendrecv);
SLOW_FUNCTION(probe);
SLOW_FUNCTION(iprobe);

/* several.c */
SLOW_FUNCTION(wait_any);
SLOW_FUNCTION(wait_all);

#endif
