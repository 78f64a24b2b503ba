/* muster.wait_any and muster.wait_all: one call of C for all, which makes progress in all
 * their groups. */
#include "bindings/python/src/several.h"

#include "bindings/python/src/errors.h"
#include "bindings/python/src/function.h"
#include "bindings/python/src/requests.h"

/* The pending ones of a sequence: which items they are, and copies of their requests. */
typedef struct several {
    PyObject *items; /* a tuple */
    size_t count;
    Py_ssize_t *places;
    muster_request *requests;
} several;

static request_object *item_of(const several *several, Py_ssize_t place)
{
    return (request_object *)PyTuple_GetItem(several->items, place);
}

static request_object *pending_of(const several *several, size_t i)
{
    return item_of(several, several->places[i]);
}

/* Takes one, unless it is there twice. */
static bool take(several *several, Py_ssize_t place)
{
    request_object *request = item_of(several, place);

    if (!request->pending || request->pending->waiter == several)
        return true;
    if (!request_may_call(request))
        return false;
    request->pending->waiter = several;
    several->places[several->count] = place;
    several->requests[several->count++] = request->pending->request;
    return true;
}

static void close_several(several *several)
{
    for (size_t i = 0; i < several->count; i++)
        if (pending_of(several, i)->pending)
            pending_of(several, i)->pending->waiter = NULL;
    PyMem_Free(several->places);
    PyMem_Free(several->requests);
    Py_XDECREF(several->items);
}

static bool open_several(PyObject *sequence, several *several)
{
    several->items = PySequence_Tuple(sequence);
    Py_ssize_t length = several->items ? PyTuple_Size(several->items) : -1;

    for (Py_ssize_t i = 0; i < length; i++)
        if ((PyObject *)Py_TYPE(PyTuple_GetItem(several->items, i)) != state_of_module()->request_type) {
            PyErr_Format(PyExc_TypeError, "item %zd: expected a muster.Request, not %R", i,
                         PyTuple_GetItem(several->items, i));
            length = -1;
        }
    if (length >= 0) {
        several->places = PyMem_Calloc((size_t)length + 1, sizeof *several->places);
        several->requests = PyMem_Calloc((size_t)length + 1, sizeof *several->requests);
        if (!several->places || !several->requests)
            PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < length && !PyErr_Occurred(); i++)
        take(several, i);
    if (!PyErr_Occurred())
        return true;
    close_several(several);
    return false;
}

/* ---- completing ---- */

static bool any_group_is_broken(const several *several)
{
    for (size_t i = 0; i < several->count; i++)
        if (!several->requests[i].group &&
            muster_group_status(pending_of(several, i)->pending->group) != MUSTER_OK)
            return true;
    return false;
}

/* Ends one that C has reset in a wait that has failed. C resets all of groups that are broken; if no group
 * is, only the one that has failed. */
static void end_failed(request_object *request, muster_status status, PyObject *raised, bool any_is_broken)
{
    muster_status broken = muster_group_status(request->pending->group);

    if (any_is_broken ? broken == status : broken == MUSTER_OK)
        request_end_with(request, raised);
    else
        request_end(request, broken);
}

/* Takes those that C has reset out of their Requests; `raised`: what the wait has failed with, NULL: it has
 * not. */
static void end_several(several *several, muster_status status, PyObject *raised)
{
    bool any_is_broken = raised && any_group_is_broken(several);

    for (size_t i = 0; i < several->count; i++) {
        request_object *request = pending_of(several, i);

        request->pending->request = several->requests[i];
        if (several->requests[i].group)
            continue;
        if (raised)
            end_failed(request, status, raised, any_is_broken);
        else
            request_end(request, status);
    }
}

/* What the first of those that have ended has failed with; NULL: none has. */
static PyObject *find_error(const several *several)
{
    for (size_t i = 0; i < several->count; i++)
        if (!pending_of(several, i)->pending && pending_of(several, i)->error)
            return pending_of(several, i)->error;
    return NULL;
}

/* What a function of the program's has raised in one of those that C has reset, which may have broken the
 * others; NULL: none has. */
static PyObject *find_cause(const several *several)
{
    for (size_t i = 0; i < several->count; i++)
        if (!several->requests[i].group && pending_of(several, i)->pending->error)
            return Py_NewRef(pending_of(several, i)->pending->error);
    return NULL;
}

/* Ends what has ended. False with an exception: a signal handler's, an operation's, or that of the wait. */
static bool after(several *several, muster_status status)
{
    PyObject *cause = take_exception(), *raised = NULL;

    if (status != MUSTER_OK) {
        raise_status(status);
        raised = take_exception();
    }
    if (!cause)
        cause = find_cause(several);
    end_several(several, status, raised);
    PyObject *error = cause ? cause : find_error(several) ? find_error(several) : raised;
    if (error)
        raise_again(error);
    Py_XDECREF(cause);
    Py_XDECREF(raised);
    return !error;
}

/* ---- waiting ---- */

/* One that was over when it was begun, as in a group of one, or -1. */
static Py_ssize_t find_untold(const several *several)
{
    Py_ssize_t length = PyTuple_Size(several->items);

    for (Py_ssize_t i = 0; i < length; i++)
        if (!item_of(several, i)->pending && !item_of(several, i)->told)
            return i;
    return -1;
}

static PyObject *any_of(several *several, int64_t timeout_ns)
{
    Py_ssize_t untold = find_untold(several);
    muster_status status;
    size_t index;

    if (untold >= 0)
        item_of(several, untold)->told = true;
    if (untold >= 0 || !several->count)
        return untold >= 0 ? PyLong_FromSsize_t(untold) : Py_NewRef(Py_None);
    Py_BEGIN_ALLOW_THREADS
    status = muster_wait_any(several->requests, several->count, timeout_ns, &index);
    Py_END_ALLOW_THREADS
    return after(several, status) ? PyLong_FromSsize_t(several->places[index]) : NULL;
}

/* The results, in order; of one that has failed before, what it failed with. */
static PyObject *results_of(const several *several)
{
    Py_ssize_t length = PyTuple_Size(several->items);
    PyObject *results = PyList_New(length);

    for (Py_ssize_t i = 0; results && i < length; i++) {
        PyObject *result = request_outcome(item_of(several, i));

        if (result)
            PyList_SetItem(results, i, result);
        else
            Py_CLEAR(results);
    }
    return results;
}

static PyObject *all_of(several *several, int64_t timeout_ns)
{
    muster_status status;

    Py_BEGIN_ALLOW_THREADS
    status = muster_wait_all(several->requests, several->count, timeout_ns);
    Py_END_ALLOW_THREADS
    return after(several, status) ? results_of(several) : NULL;
}

static PyObject *wait_for_several(PyObject *args, PyObject *keywords, const char *format,
                                  PyObject *(*wait)(several *several, int64_t timeout_ns))
{
    static char *names[] = { "requests", "timeout", NULL };
    PyObject *sequence, *timeout = Py_None, *result;
    several several = { .count = 0 };
    int64_t timeout_ns;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, format, names, &sequence, &timeout) ||
        !timeout_of(timeout, "; test() does not wait", &timeout_ns) || !open_several(sequence, &several))
        return NULL;
    result = wait(&several, timeout_ns);
    close_several(&several);
    return result;
}

SLOW_FUNCTION(wait_any)
{
    (void)module;
    return wait_for_several(args, keywords, "O|O:wait_any", any_of);
}

SLOW_FUNCTION(wait_all)
{
    (void)module;
    return wait_for_several(args, keywords, "O|O:wait_all", all_of);
}
