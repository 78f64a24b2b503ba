/*
 * One operation on elements, from its arguments until it is over, for the files that make operations. A
 * blocking one is on the stack of its call. A started one is on the heap: it has the arrays, the counts and
 * the group until it is over, whatever becomes of its Request.
 */
#ifndef MUSTER_PYTHON_OPERATION_H
#define MUSTER_PYTHON_OPERATION_H

#include "bindings/python/src/leftovers.h"
#include "bindings/python/src/view.h"

typedef struct operation {
    leftover leftover; /* of one without a Request: orphans.h */
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

/* `place` for a blocking one. NULL with an exception. */
operation *operation_begin(operation *place, const char *name, PyObject *group, bool started);

/* Opens x for reading; what is no array in C order yet is made one. False with an exception, as those below.
 */
bool operation_reads(operation *operation, PyObject *x, PyObject *dtype);

/* A new array of that shape (a tuple, which it takes; NULL: an exception) and of the kind of what is read,
 * which says what its integers stand for where `dtype` was given. NULL with an exception. */
PyObject *operation_makes_like(const operation *operation, PyObject *shape, PyObject *dtype);

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

#endif
