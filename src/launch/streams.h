/*
 * A rank's stdout and stderr: pipes or pseudo-terminals, whose other ends the launcher reads; or, if output
 * is not captured, the launcher's own.
 */
#ifndef MST_STREAMS_H
#define MST_STREAMS_H

#include "muster/muster.h"

typedef struct mst_streams {
    int ours[2], theirs[2]; /* of stdout and stderr; -1: not captured */
} mst_streams;

/* -errno if they cannot be opened. */
int mst_streams_open(mst_streams *streams, const muster_launch_config *config);

/* Gives a rank's pseudo-terminal the size of the terminal that we write to. */
void mst_streams_set_size(int terminal);

/* In the rank: makes them stdout and stderr. */
void mst_streams_take(const mst_streams *streams);

/* In the launcher, after the fork; `ours`: closes our ends too, since no rank was started. */
void mst_streams_close(const mst_streams *streams, bool ours);

#endif
