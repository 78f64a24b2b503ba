/*
 * A job: the ranks that one muster_launch() runs as processes, their output, and what has happened to them so
 * far. Only the launching thread uses it; supervise.h and the parts of its loop modify it.
 */
#ifndef MST_JOB_H
#define MST_JOB_H

#include <poll.h>

#include "shm/base/deadline.h"
#include "src/launch/spawn.h"

#define MST_POLLED_PER_SEAT 3 /* its watch and its two streams */
#define MST_POLLED_BESIDE 3   /* signals and our own two streams */

/* The maximum time between two looks at the clock: if more has elapsed, the job was stopped, and the excess
 * does not count. */
#define MST_JOB_LOOK_NS (250 * MST_NS_PER_MS)

typedef struct mst_job {
    mst_spawn_plan *plan;
    const muster_launch_config *config;
    const mst_geometry *geometry;
    mst_output *output;
    struct pollfd *polled;       /* capacity for everything polled in a turn */
    mst_rank_process *processes; /* by seat of the arena */
    int count;                   /* including those scheduled to start */
    int running;
    bool *released;        /* by seat: a dead rank's memory has been released (references.h) */
    int first_failed;      /* the seat; -1: none yet */
    uint64_t memory_kills; /* of the control group, so far */
    bool timed_out;
    bool stopping;
    bool killed;           /* KILL was sent after the grace period */
    bool unread;           /* nobody reads the ranks' output: they are stopped because of that */
    bool asked_to_end;     /* by a signal */
    int stopped_by;        /* the first such signal, if no rank had failed before it */
    uint64_t passed_on;    /* bit N: signal N was passed on before any rank had failed */
    int restarts;          /* so far */
    int next_pumped;       /* the relay that is served first in the next turn */
    mst_deadline time;     /* of the whole run */
    int64_t stop_at_ns;    /* 0: no rank has failed; until then the others may report it */
    int64_t stopped_at_ns; /* when TERM was sent; 0: not yet */
    int64_t kill_at_ns;    /* 0: no rank is being stopped */
} mst_job;

/* The time between TERM and KILL. */
int64_t mst_job_grace_ns(const mst_job *job);

/* Sends a signal to all ranks that run. */
void mst_job_signal(const mst_job *job, int signal);

#endif
