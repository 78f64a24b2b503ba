/*
 * Suppresses equal messages of many ranks: when one rank has failed, all the others report it. The first such
 * line is shown at once, the others are counted, and reported in one sentence when all have ended.
 */
#ifndef MST_REPEATS_H
#define MST_REPEATS_H

#include <stdbool.h>
#include <stddef.h>

#include "muster/muster.h"

typedef struct mst_repeated_line {
    char *text;
    size_t bytes;
    int first;                    /* the rank whose line was shown */
    int more;                     /* number of ranks whose line was not */
    char head[MUSTER_HEAD_BYTES]; /* of the latest of those */
} mst_repeated_line;

#define MST_REPEATED_LINES_MAX 64 /* distinct lines; further ones are shown as they arrive */

typedef struct mst_repeats {
    mst_repeated_line lines[MST_REPEATED_LINES_MAX];
    int count;
} mst_repeats;

/* Records a rank's line; true: another rank has printed the same, so this one need not be shown. */
bool mst_repeats_take(mst_repeats *repeats, int rank, const char *text, size_t bytes, const char *head);

/* "198 more ranks printed the same line as rank 3"; false: nothing was suppressed, or only one line,
 * *single. */
bool mst_repeats_describe(const mst_repeats *repeats, char *text, size_t bytes,
                          const mst_repeated_line **single);

void mst_repeats_destroy(mst_repeats *repeats);

#endif
