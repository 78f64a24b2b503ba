/*
 * Standard input for every rank: a process of its own keeps what has come and gives all of it to each, as
 * fast as that one reads. A rank that does not read holds up nobody: what it has not read is kept, in memory,
 * and where that cannot be, the job is stopped.
 */
#ifndef MUSTER_RUN_FEED_H
#define MUSTER_RUN_FEED_H

#include <sys/types.h>

#include "tools/muster/run/run_options.h"

typedef struct run_feed {
    int pipes[RUN_RANKS_MAX][2];
    int size;
    pid_t pid; /* of its process */
} run_feed;

/* Starts it; false: it cannot be, and stderr says why. It ends with this process, or when all is given out;
 * if it fails, the job must be stopped, as half of the input would be taken for all of it. */
bool feed_start(run_feed *feed, int size);

/* In a rank: makes its part of the feed standard input. */
void feed_take(const run_feed *feed, int rank);

#endif
