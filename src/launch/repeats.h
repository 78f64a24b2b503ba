/*
 * The same sentence from many ranks: when one has failed, the others say so, all alike. The first is shown as
 * it comes, the others are counted, and told of in one sentence when all have ended.
 */
#ifndef MST_REPEATS_H
#define MST_REPEATS_H

#include <stdbool.h>
#include <stddef.h>

#include "muster/muster.h"

typedef struct mst_repeated_line {
    char *text;
    size_t bytes;
    int first;                    /* the rank that was shown */
    int more;                     /* how many were not */
    char head[MUSTER_HEAD_BYTES]; /* of the latest of those */
} mst_repeated_line;

#define MST_REPEATED_LINES_MAX 64 /* told apart; others are shown as they come */

typedef struct mst_repeats {
    mst_repeated_line lines[MST_REPEATED_LINES_MAX];
    int count;
} mst_repeats;

/* Notes the line of a rank; true: another rank has said the same, so it need not be shown. */
bool mst_repeats_take(mst_repeats *repeats, int rank, const char *text, size_t bytes, const char *head);

/* "198 more ranks printed the same line as rank 3"; false: nothing was kept back, or just one line, which is
 * *single then. */
bool mst_repeats_describe(const mst_repeats *repeats, char *text, size_t bytes,
                          const mst_repeated_line **single);

void mst_repeats_destroy(mst_repeats *repeats);

#endif
