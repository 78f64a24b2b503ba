/*
 * One process of a rank, as its launcher sees it: who it is, whether it runs, how it ended, and its output. A
 * rank that is started again has a process, and a seat of the arena, for each time.
 */
#ifndef MST_PROCESS_H
#define MST_PROCESS_H

#include <sys/types.h>

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
    /* whether and when it is replaced (respawn.h) */
    bool scheduled;  /* is to start at that time */
    bool unwanted;   /* was stopped, since nobody would take it in */
    int short_lives; /* of the processes that were the rank just before */
    int replaced_by; /* the seat, once it has ended; -1: nobody */
} mst_rank_process;

/* Whether it ended otherwise than with 0. */
bool mst_rank_failed(const mst_rank_process *process);

/* "rank 2 was killed by signal 9 (Killed)" */
void mst_rank_describe(const mst_rank_process *process, char *text, size_t bytes);

/* Sends a signal to the rank, and to all it has started: once to each. */
void mst_rank_signal(const mst_rank_process *process, int signal);

#endif
