/*
 * What the program has let go of and what cannot go yet, of binding.h and operation.h.
 *
 * An operation whose Request was dropped has its arrays until it is over: muster writes there until then. A
 * group, share or queue whose last reference goes inside a function of the program's goes later: the call
 * that has called the function has locks of muster's. Both are looked at when the next call begins.
 */
#include <stdlib.h>
#include <unistd.h>

#include "bindings/python/src/operation.h"

typedef struct leftover {
    struct leftover *next;
    release_fn release;
    void *object;
} leftover;

static operation *orphans; /* the interpreter's lock is the lock of these */
static leftover *leftovers;

void orphan_keep(operation *operation)
{
    operation->next = orphans;
    orphans = operation;
}

bool is_of_this_process(const operation *operation)
{
    return operation->process == (long)getpid();
}

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

static void look_at_orphans(void)
{
    operation *next, *at = orphans;

    orphans = NULL; /* other threads may add to them meanwhile */
    for (; at; at = next) {
        next = at->next;
        if (!is_over(at)) {
            orphan_keep(at);
            continue;
        }
        say_unheard(at);
        operation_close(at);
    }
}

static void release_leftovers(void)
{
    leftover *next, *at = leftovers;

    leftovers = NULL;
    for (; at; at = next) {
        next = at->next;
        let_go(at->release, at->object);
        free(at);
    }
}

void look_at_leftovers(void)
{
    static long looking; /* the process that does: closing an operation can end in here */

    if ((!orphans && !leftovers) || looking == (long)getpid() || is_combining())
        return;
    looking = (long)getpid();
    look_at_orphans();
    release_leftovers();
    looking = 0;
}

void let_go(release_fn release, void *object)
{
    if (!object)
        return;
    if (!is_combining()) {
        Py_BEGIN_ALLOW_THREADS /* a thread that has muster's locks may wait for this lock, to combine */
        release(object);
        Py_END_ALLOW_THREADS
        return;
    }
    leftover *made = malloc(sizeof *made);
    if (made) { /* else it stays until the process ends */
        *made = (leftover){ leftovers, release, object };
        leftovers = made;
    }
}
