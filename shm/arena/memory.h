/*
 * Memory of the arena: committed before anybody touches it, with an error in words where there is none.
 *
 * Works on the mapping alone. A rank needs no descriptor of the arena once it has attached, so a program may
 * close all descriptors that it does not know.
 *
 * The limit of a memory control group is no error of the system's: who goes over it is killed. So what is
 * left is looked at before. Ranks of one group could each find enough for themselves, and together go over
 * it; so each says first what it is about to take, then looks, at what the others say and after that at what
 * is used: of two that look at the same time one at least sees the other. Large blocks go piece by piece,
 * each after a look at what all of the rest needs. Looking reads files, so small blocks are counted until
 * they are worth a look.
 */
#ifndef MST_MEMORY_H
#define MST_MEMORY_H

#include "muster/muster.h"
#include "shm/base/layout.h"

typedef struct mst_memory {
    uint64_t device;           /* the file system of the arena, for what it has left */
    mst_geometry geometry;     /* whose ranks may take memory at the same time; without a base: none */
    uint32_t seat;             /* ours */
    _Atomic uint64_t unlooked; /* bytes committed since a look */
} mst_memory;

/* Commits a range of the mapped arena, with NO_SPACE in words; `what` names it in the sentence. */
muster_status mst_memory_commit(mst_memory *memory, void *at, uint64_t bytes, const char *what);

#endif
