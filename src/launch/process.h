/*
 * One process of a rank, as its launcher sees it: which rank, whether it runs, how it ended, and its output.
 * A respawned rank has a new process, and a new seat in the arena, each time.
 */
#ifndef MST_PROCESS_H
#define MST_PROCESS_H

#include <sys/types.h>

#include "src/launch/relay.h"

#define MST_COMPLAINT_BYTES 256

typedef struct mst_rank_process {
    int rank;
    int seat;     /* in the arena */
    int restarts; /* number of processes that were this rank before */
    pid_t pid;
    mst_os_held watch; /* readable when it has ended; fd -1: unavailable, or it has ended */
    int polled_at;     /* its index in job->polled; -1: not polled */
    bool running;
    bool own_group;                      /* leads a process group, which is killed with it */
    char complaint[MST_COMPLAINT_BYTES]; /* why it could not start; "": it did, or has not said it */
    muster_termination termination;
    bool dumped_core;
    bool out_of_memory; /* killed by the kernel because its memory control group was full */
    int64_t start_at_ns, ended_ns;
    mst_relay relays[2]; /* stdout, stderr; closed if output is not captured */
    /* whether and when it is replaced (respawn.h) */
    bool scheduled;  /* starts at start_at_ns */
    bool unwanted;   /* was stopped, since no rank could admit it */
    int short_lives; /* number of short-lived processes of the rank just before it */
    int replaced_by; /* the seat of its replacement; -1: none */
} mst_rank_process;

/* Whether it ended in any other way than with status 0. */
bool mst_rank_failed(const mst_rank_process *process);

/* Whether it ended with a complaint. */
bool mst_rank_could_not_start(const mst_rank_process *process);

/* "rank 2 was killed by signal 9 (Killed)", or its complaint. */
void mst_rank_describe(const mst_rank_process *process, char *text, size_t bytes);

/* Sends a signal to the rank and to its process group, once to each process. */
void mst_rank_signal(const mst_rank_process *process, int signal);

#endif
