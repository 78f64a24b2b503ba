/*
 * Memory of the arena: committed before anybody touches it, with an error in words where there is none.
 *
 * Works on the mapping alone. A rank needs no descriptor of the arena once it has attached, so a program may
 * close all descriptors that it does not know.
 */
#ifndef MST_MEMORY_H
#define MST_MEMORY_H

#include "muster/muster.h"
#include "shm/layout.h"

typedef struct mst_memory {
    uint64_t device; /* the file system of the arena, for what it has left */
} mst_memory;

/* Commits a range of the mapped arena, with NO_SPACE in words; `what` names it in the sentence. */
muster_status mst_memory_commit(mst_memory *memory, void *at, uint64_t bytes, const char *what);

#endif
