/*
 * Operations whose Request was dropped: each has its arrays until it is over, as muster writes there until
 * then. They are leftovers (leftovers.h), looked at when the next call begins.
 */
#include "bindings/python/src/orphans.h"

#include "bindings/python/src/errors.h"
#include "bindings/python/src/leftovers.h"
#include "bindings/python/src/operation.h"

/* What its function has raised has nobody who waits for it. */
static void say_unheard(const operation *operation)
{
    if (!operation->error)
        return;
    raise_again(operation->error);
    PyErr_WriteUnraisable(operation->function);
}

static bool is_over(operation *operation)
{
    bool done = false;

    if (!is_of_this_process(operation))
        return true;
    Py_BEGIN_ALLOW_THREADS
    muster_test(&operation->request, &done); /* of an error the next call on the group tells */
    Py_END_ALLOW_THREADS
    return !operation->request.group;
}

static bool end(leftover *leftover)
{
    operation *orphan = (operation *)leftover;

    if (!is_over(orphan))
        return false;
    say_unheard(orphan);
    operation_close(orphan);
    return true;
}

void orphan_keep(operation *operation)
{
    leave_over(&operation->leftover, end);
}
