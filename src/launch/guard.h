/*
 * A process that ends the ranks when the launcher is killed.
 *
 * The system kills a rank with its launcher (spawn.h), but not what the rank has started: behind a wrapper,
 * such as `sh -c './program; true'`, that is the program itself. The guard sleeps until the launcher ends and
 * then kills the process groups of all ranks; a rank that has left its group is told, by poison. The guard
 * has no descriptors, no terminal and no folder of the program's, blocks all signals, and is no child that
 * the program's own waits could meet.
 */
#ifndef MST_GUARD_H
#define MST_GUARD_H

#include <stdint.h>
#include <sys/types.h>

#include "shm/arena/arena.h"
#include "shm/port/os.h"

typedef struct mst_guard {
    int32_t pid;            /* 0: there is none, for want of a process */
    mst_os_held control[2]; /* a pipe of notes; we keep its reading end, or writing could raise SIGPIPE */
} mst_guard;

void mst_guard_start(mst_guard *guard, const mst_arena *arena);
void mst_guard_stop(mst_guard *guard);

/* The process group is to end with the launcher; no longer. Neither blocks. */
void mst_guard_add(const mst_guard *guard, pid_t group);
void mst_guard_remove(const mst_guard *guard, pid_t group);

#endif
