/*
 * Starts one rank as a process: a fork that runs a function or executes a command. Either way it is killed
 * with the launcher, finds its place in the world in its environment, and has the signal mask and limits that
 * the program had before the launch.
 */
#ifndef MST_SPAWN_H
#define MST_SPAWN_H

#include <signal.h>

#include "shm/arena/arena.h"
#include "src/launch/descriptors.h"
#include "src/launch/guard.h"
#include "src/launch/process.h"

typedef struct mst_spawn_plan {
    const muster_launch_config *config;
    muster_rank_fn fn; /* NULL: the ranks execute config->command */
    void *arg;
    mst_arena *arena;
    mst_os_held complaints[2]; /* a pipe: why ranks could not start */
    mst_output *output;
    mst_guard guard;
    mst_descriptors descriptors;
    sigset_t mask; /* of the calling thread before the launch */
} mst_spawn_plan;

/* Starts the process of a rank, which describes rank and seat; -errno if fork or its preparation fails. */
int mst_spawn(const mst_spawn_plan *plan, mst_rank_process *process);

/* Whether SIGTSTP stops this process by default: the kernel discards it where nobody could continue us, which
 * is in an orphaned process group, such as a session's first. */
bool mst_spawn_may_stop(void);

/* Gives each process its complaint, "rank 2 could not start: ...", if it has made one by now. To be called as
 * processes end, since those whose complaints the pipe does not hold wait for it. */
void mst_spawn_take_complaints(const mst_spawn_plan *plan, mst_rank_process *processes, int count);

#endif
