/*
 * The streams on which a group's collectives run, each a thread of MLX's, one after the other, in whatever
 * order they come. MLX does not say which it is; but it begins a stream's thread when the program first uses
 * the stream, so that the order of their beginnings is the program's, on all ranks.
 */
#ifndef MUSTER_MPI_STREAMS_H
#define MUSTER_MPI_STREAMS_H

#include <stdint.h>

#include "muster/muster.h"

typedef struct streams {
    uint64_t *begun; /* when those began that have been here: ascending */
    int count;
    uint64_t last; /* that was here */
} streams;

/* The calling thread is about to enter a collective of the group. When another one was there before, the
 * ranks compare which it is, by a small collective; without that, two equal calls could be taken for each
 * other. */
muster_status streams_enter(streams *streams, muster_group *group);

/* What a user can do about a MISMATCH, if it may be one of streams; else "". */
const char *streams_advice(const streams *streams, const char *sentence);

#endif
