/*
 * What the program has let go of and what cannot go yet: operations that are not over, and
 * groups, shares and queues whose last reference went inside a function of the program's. The call that has
 * called the function has locks of muster's, so these go later, when the next call begins.
 */
#include "bindings/python/src/leftovers.h"

#include <stdlib.h>
#include <unistd.h>

#include "bindings/python/src/combining.h"

typedef struct released {
    leftover leftover;
    release_fn release;
    void *object;
} released;

static leftover *leftovers; /* the interpreter's lock is its lock */

void leave_over(leftover *leftover, bool (*end)(struct leftover *leftover))
{
    leftover->end = end;
    leftover->next = leftovers;
    leftovers = leftover;
}

void look_at_leftovers(void)
{
    static long looking; /* the process that does: closing an operation can end in here */
    leftover *next, *at = leftovers;

    if (!at || looking == (long)getpid() || is_combining())
        return;
    looking = (long)getpid();
    leftovers = NULL; /* other threads may add to them meanwhile */
    for (; at; at = next) {
        bool (*end)(struct leftover * leftover) = at->end;

        next = at->next;
        if (!end(at))
            leave_over(at, end);
    }
    looking = 0;
}

static void release_now(release_fn release, void *object)
{
    Py_BEGIN_ALLOW_THREADS /* a thread that has muster's locks may wait for this lock, to combine */
    release(object);
    Py_END_ALLOW_THREADS
}

static bool end_released(leftover *leftover)
{
    released *released = (struct released *)leftover;

    if (is_combining())
        return false;
    release_now(released->release, released->object);
    free(released);
    return true;
}

void release_object(release_fn release, void *object)
{
    if (!object)
        return;
    if (!is_combining()) {
        release_now(release, object);
        return;
    }
    released *made = malloc(sizeof *made);
    if (made) { /* else it stays until the process ends */
        made->release = release;
        made->object = object;
        leave_over(&made->leftover, end_released);
    }
}
