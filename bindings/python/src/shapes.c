/* The shapes of results, as MLX has them. */
#include "bindings/python/src/shapes.h"

#include "bindings/python/src/operation.h"
#include "bindings/python/src/view.h"

/* "(2,3)", as MLX writes it. */
static void spell_shape(const view *in, char *text, size_t bytes)
{
    size_t used = 0;

    for (int i = 0; i < in->dimensions && used < bytes; i++)
        used += (size_t)PyOS_snprintf(text + used, bytes - used, "%s%zd", i ? "," : "(", in->shape[i]);
    if (used < bytes)
        PyOS_snprintf(text + used, bytes - used, "%s)", in->dimensions ? "" : "(");
}

/* Rows are not cut, where there are rows. */
static bool check_rows(const call *call, const view *in, shape_rule rule, int size)
{
    bool has_rows = in->dimensions > 1 || (rule == SCATTERED && !call->out);

    if ((rule != SCATTERED && rule != EXCHANGED) || !has_rows)
        return true;
    if (in->dimensions > 0 && in->shape[0] % size == 0)
        return true;
    char text[200];

    spell_shape(in, text, sizeof text);
    PyErr_Format(PyExc_ValueError,
                 "[%s] Invalid shape=%s for a group of size %d. The first dimension (axis 0) must be "
                 "divisible by the group size and input must have at least one.",
                 call->name, text, size);
    return false;
}

static Py_ssize_t first_of_result(const view *in, shape_rule rule, int size)
{
    Py_ssize_t first = in->dimensions ? in->shape[0] : 1;

    return rule == GATHERED ? first * size : rule == SCATTERED ? first / size : first;
}

static PyObject *shape_of_result(const view *in, shape_rule rule, int size)
{
    int dimensions = rule == GATHERED && in->dimensions == 0 ? 1 : in->dimensions;
    PyObject *shape = PyTuple_New(dimensions);

    for (int i = 0; shape && i < dimensions; i++)
        PyTuple_SetItem(shape, i,
                        PyLong_FromSsize_t(i == 0 ? first_of_result(in, rule, size) : in->shape[i]));
    return shape;
}

/* Of one row after the other it may be, or of the shape that the result has; rows of another length are a
 * mistake. */
static bool has_shape_of_result(const view *in, const view *out, shape_rule rule, int size)
{
    if (in->dimensions < 2 || out->dimensions != in->dimensions)
        return true;
    for (int i = 0; i < in->dimensions; i++)
        if (out->shape[i] != (i == 0 ? first_of_result(in, rule, size) : in->shape[i]))
            return false;
    return true;
}

static bool check_output(const call *call, const view *in, const view *out, shape_rule rule, int size)
{
    size_t wanted = rule == GATHERED    ? in->count * (size_t)size
                    : rule == SCATTERED ? in->count / (size_t)size
                                        : in->count;

    if (out->dtype == in->dtype && out->count == wanted &&
        (rule != SCATTERED || in->count % (size_t)size == 0)) {
        if (has_shape_of_result(in, out, rule, size))
            return true;
        PyObject *shape = shape_of_result(in, rule, size);
        char text[200];

        spell_shape(out, text, sizeof text);
        if (shape)
            PyErr_Format(PyExc_ValueError, "%s(): out has shape %s; expected %R", call->name, text, shape);
        Py_XDECREF(shape);
        return false;
    }
    PyErr_Format(PyExc_ValueError, "%s(): out has %zu elements of %s; expected %zu of %s", call->name,
                 out->count, muster_dtype_name(out->dtype), wanted, muster_dtype_name(in->dtype));
    return false;
}

/* `out`, or a new array of the shape that the rule says; NULL with an exception. */
static PyObject *result_of(const operation *operation, const call *call, shape_rule rule, int size)
{
    if (call->out)
        return Py_NewRef(call->out);
    return operation_makes_like(operation, shape_of_result(&operation->in, rule, size), call->dtype);
}

bool operation_writes_shape(operation *operation, const call *call, shape_rule rule)
{
    int size = muster_group_size(operation->group);

    if (rule == EXCHANGED && operation->in.count % (size_t)size != 0) {
        PyErr_Format(PyExc_ValueError, "%s(): %zu elements cannot be split evenly among %d ranks", call->name,
                     operation->in.count, size);
        return false;
    }
    if (!check_rows(call, &operation->in, rule, size))
        return false;
    operation->result = result_of(operation, call, rule, size);
    return operation->result && operation_writes(operation, operation->result, call->dtype) &&
           check_output(call, &operation->in, &operation->out, rule, size);
}
