/* Lets malloc serve the program's large blocks from this rank's part of the arena (bindings/malloc). */
#ifndef MST_ARENA_MALLOC_H
#define MST_ARENA_MALLOC_H

#include "src/onehost/group/group.h"

/* Offers most of the heap's address space to the preloaded library. Where it cannot be, it says why in the
 * log, and the program's memory stays private. `name`: what the arena was attached by, or NULL. */
void mst_arena_malloc_begin(mst_group *world, const char *name);

#endif
