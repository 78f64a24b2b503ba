/*
 * A job: the ranks that one muster_launch() runs as processes, their output, and what has become of them so
 * far. One thread has it, that of the launch; supervise.h and the parts of its turn change it.
 */
#ifndef MST_JOB_H
#define MST_JOB_H

#include <poll.h>

#include "shm/base/deadline.h"
#include "src/launch/spawn.h"

#define MST_POLLED_PER_SEAT 3 /* its end and its two streams */
#define MST_POLLED_BESIDE 3   /* signals and our own two streams */

/* The longest time between two looks at the clock: if it was longer the job was stopped, and that does not
 * count. */
#define MST_JOB_LOOK_NS (250 * MST_NS_PER_MS)

typedef struct mst_job {
    mst_spawn_plan *plan;
    const muster_launch_config *config;
    const mst_geometry *geometry;
    mst_output *output;
    struct pollfd *polled;       /* room for all that is polled in a turn */
    mst_rank_process *processes; /* by seat of the arena */
    int count;                   /* of them, also those that are to start later */
    int running;
    bool *released;        /* by seat: memory of the dead that has gone back (references.h) */
    int first_failed;      /* the seat; -1: none yet */
    uint64_t memory_kills; /* of the control group, so far */
    bool timed_out;
    bool stopping;
    bool killed;           /* KILL was sent, since the grace was over */
    bool unread;           /* nobody reads what the ranks print: they are stopped for that */
    bool asked_to_end;     /* by a signal */
    int stopped_by;        /* the first such signal, if no rank had failed by then */
    uint64_t passed_on;    /* bit N: signal N, before any rank had failed */
    int restarts;          /* so far */
    int next_pumped;       /* whose output is taken first in the next turn */
    mst_deadline time;     /* of the whole run */
    int64_t stop_at_ns;    /* 0: no rank has failed; until then the others may say what they know */
    int64_t stopped_at_ns; /* 0: nobody was */
    int64_t kill_at_ns;    /* 0: nobody is being stopped */
} mst_job;

/* The time between TERM and KILL. */
int64_t mst_job_grace_ns(const mst_job *job);

/* Sends a signal to all ranks that run. */
void mst_job_signal(const mst_job *job, int signal);

#endif
