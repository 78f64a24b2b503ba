/*
 * What a rank's stdout and stderr are: pipes, or pseudo-terminals, whose other ends the launcher reads; or,
 * where nobody asked to see what it prints, the launcher's own.
 */
#ifndef MST_STREAMS_H
#define MST_STREAMS_H

#include "muster/muster.h"

typedef struct mst_streams {
    int ours[2], theirs[2]; /* of stdout and stderr; -1: there is none */
} mst_streams;

/* -errno when they cannot be had. */
int mst_streams_open(mst_streams *streams, const muster_launch_config *config);

/* Makes a rank's pseudo-terminal as wide as the terminal that we write to. */
void mst_streams_set_size(int terminal);

/* In the rank. */
void mst_streams_take(const mst_streams *streams);

/* In the launcher, after the fork; `ours`, too: no rank has come of it. */
void mst_streams_close(const mst_streams *streams, bool ours);

#endif
