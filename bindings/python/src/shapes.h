/* The shapes of results, as MLX has them. */
#ifndef MUSTER_PYTHON_SHAPES_H
#define MUSTER_PYTHON_SHAPES_H

#include "bindings/python/src/operation.h"

/* What a call was given; NULL: not given. */
typedef struct call {
    const char *name;
    bool started;
    PyObject *x, *group, *out, *dtype, *op, *root;
} call;

typedef enum shape_rule { AS_X, GATHERED, SCATTERED, EXCHANGED } shape_rule;

/* With the input open: opens `out`, or a new array of the shape that the rule says. */
bool operation_writes_shape(operation *operation, const call *call, shape_rule rule);

#endif
