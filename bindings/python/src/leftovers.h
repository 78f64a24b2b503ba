/* What the program has let go of and what cannot go yet. */
#ifndef MUSTER_PYTHON_LEFTOVERS_H
#define MUSTER_PYTHON_LEFTOVERS_H

#include "bindings/python/src/state.h"

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

#endif
