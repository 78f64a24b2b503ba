/*
 * Operations whose Request was dropped. A receive that has got no message yet is taken back: nobody would
 * look at the message. Each other one has its arrays until it is over, as muster writes there until then; it
 * is a leftover (leftovers.h), looked at when the next call begins.
 */
#include "bindings/python/src/orphans.h"

#include <string.h>

#include "bindings/python/src/combining.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/group.h"
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

/* Takes it back, if it is a receive: when it is dropped, or later if another thread was in its group then. */
static bool take_back(operation *operation)
{
    bool canceled = false;

    if (strncmp(operation->name, "recv", 4) != 0)
        return false;
    Py_BEGIN_ALLOW_THREADS
    muster_cancel(&operation->request, &canceled);
    Py_END_ALLOW_THREADS
    return !operation->request.group;
}

static bool is_over(operation *operation)
{
    bool done = false;

    if (!is_of_this_process(operation) || take_back(operation))
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
    ((group_object *)orphan->owner)->orphans--;
    operation_close(orphan);
    return true;
}

bool orphan_take_back(operation *operation)
{
    if (!is_of_this_process(operation) || is_combining() || !take_back(operation))
        return false;
    operation_close(operation);
    return true;
}

void orphan_keep(operation *operation)
{
    ((group_object *)operation->owner)->orphans++;
    leave_over(&operation->leftover, end);
}
