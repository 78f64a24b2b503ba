/*
 * A process that ends the ranks when the launcher is killed.
 *
 * The kernel kills a rank with its launcher (spawn.h), but not the processes that the rank has started:
 * behind a wrapper, such as `sh -c './program; true'`, that is the program itself. The guard sleeps until the
 * launcher ends and then kills the process groups of all ranks; ranks that have left their group are told by
 * poison. The guard keeps no descriptor, terminal or directory of the program, blocks all signals, and is
 * invisible to the program's wait functions.
 */
#ifndef MST_GUARD_H
#define MST_GUARD_H

#include <stdint.h>
#include <sys/types.h>

#include "shm/arena/arena.h"
#include "shm/port/os.h"

typedef struct mst_guard {
    int32_t pid;            /* 0: none, because no process could be created */
    mst_os_held control[2]; /* a pipe of notes; we keep its reading end, or writes could raise SIGPIPE */
} mst_guard;

void mst_guard_start(mst_guard *guard, const mst_arena *arena);
void mst_guard_stop(mst_guard *guard);

/* Adds a process group that must end with the launcher; and removes it. Neither blocks. */
void mst_guard_add(const mst_guard *guard, pid_t group);
void mst_guard_remove(const mst_guard *guard, pid_t group);

#endif
