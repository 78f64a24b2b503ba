/*
 * Starting one rank as a process: a fork of ours that runs a function, or that executes a command.
 * Either way it dies with the launcher, finds its place in the world in its environment, and has the
 * signals and limits that the program had before the launch.
 */
#ifndef MST_SPAWN_H
#define MST_SPAWN_H

#include <signal.h>
#include <sys/types.h>

#include "shm/arena/arena.h"
#include "src/launch/descriptors.h"
#include "src/launch/guard.h"
#include "src/launch/relay.h"

typedef struct mst_rank_process {
    int rank;
    int seat;     /* in the arena */
    int restarts; /* how many processes were the rank before */
    pid_t pid;
    mst_os_held watch; /* readable when it has ended; fd -1: not to be had, or ended */
    int polled_at;     /* where that is among what is polled; -1: nowhere */
    bool running;
    bool own_group; /* leads a process group, which is killed with it */
    muster_termination termination;
    bool dumped_core;
    bool out_of_memory; /* the system killed it for its memory control group */
    int64_t start_at_ns, ended_ns;
    mst_relay relays[2]; /* stdout, stderr; closed when nobody asked for it */
    /* respawn.h */
    bool scheduled;  /* is to start at that time */
    bool unwanted;   /* was stopped, since nobody would take it in */
    int short_lives; /* of the processes that were the rank just before */
    int replaced_by; /* the seat, once it has ended; -1: nobody */
} mst_rank_process;

typedef struct mst_spawn_plan {
    const muster_launch_config *config;
    muster_rank_fn fn; /* NULL: config->command */
    void *arg;
    mst_arena *arena;
    mst_os_held complaints[2]; /* a pipe: why a rank could not even start */
    mst_output *output;
    mst_guard guard;
    mst_descriptors descriptors;
    sigset_t mask; /* of the calling thread before the launch */
} mst_spawn_plan;

/* Starts the process of a rank, which says which and where; -errno when it cannot be forked. */
int mst_spawn(const mst_spawn_plan *plan, mst_rank_process *process);

/* Sends a signal to the rank, and to all it has started: once to each. */
void mst_rank_signal(const mst_rank_process *process, int signal);

/* "rank 2 could not start: ..." of the first that complained; false: none did. */
bool mst_spawn_complaint(const mst_spawn_plan *plan, char *text, size_t bytes);

#endif
