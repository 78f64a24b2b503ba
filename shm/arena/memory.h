/*
 * Memory of the arena: committed before anyone touches it, with an error message where there is none.
 *
 * Works on the mapping alone. A rank needs no descriptor of the arena once it has attached, so a program may
 * close all descriptors that it does not know.
 *
 * Exceeding the limit of a memory control group is not an error: the kernel kills a process of the group. So
 * the rest below the limit is checked first. Two ranks could each find enough for themselves and together
 * exceed the limit; so each first announces what it is about to commit, then reads what the others announce,
 * and then the usage: of two ranks that do so at the same time at least one sees the other. Large blocks are
 * committed in parts, each after checking what the whole rest needs. A check reads files, so small blocks are
 * only counted until a check is worthwhile. The machine itself kills, too, when it has no memory left: before
 * a large block it is asked what it has, and before each part of one that all ranks together could not have.
 */
#ifndef MST_MEMORY_H
#define MST_MEMORY_H

#include "muster/muster.h"
#include "shm/base/layout.h"

typedef struct mst_memory {
    uint64_t device;           /* the file system of the arena, to ask for its free space */
    mst_geometry geometry;     /* of the ranks that may commit at the same time; without a base: none */
    uint32_t seat;             /* ours */
    uint64_t excess_bytes;     /* what a commit may take beside what it commits: the rest of a large page */
    _Atomic uint64_t unlooked; /* bytes committed since the last check */
} mst_memory;

/* Commits a range of the mapped arena; `what` names it in the message of NO_SPACE. */
muster_status mst_memory_commit(mst_memory *memory, void *at, uint64_t bytes, const char *what);

#endif
