/* What `muster run --arena-malloc` sets in the environment of ranks, so that malloc serves from the arena. */
#ifndef MUSTER_RUN_ARENA_MALLOC_H
#define MUSTER_RUN_ARENA_MALLOC_H

#include <stdbool.h>

#include "tools/muster/run/beside.h"

/* Where the library is that ranks preload. */
bool find_arena_malloc(char path[BESIDE_BYTES]);

/* The same, with a sentence on stderr when there is none beside this command. */
bool prepare_arena_malloc(char path[BESIDE_BYTES]);

/* In a rank's process: before what the user preloads, so that the allocator that may be there is the next. */
void apply_arena_malloc(const char *path);

#endif
