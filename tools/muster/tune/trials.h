/*
 * What `muster tune` measures: for each threshold one operation, at sizes around it, in worlds that differ in
 * the threshold only.
 *
 * All worlds are of the same processes, and take turns within a millisecond: where the kernel has put the
 * processes counts the same for all. Of each world and size the least time counts, since whatever disturbs
 * only adds. Every other round is a measurement of its own: what they do not both say is chance.
 *
 * The arenas have names, since each rank is in several, and so small pages; those of muster run have large
 * ones where they can (decision 59): gains there are smaller or larger.
 */
#ifndef MUSTER_TUNE_TRIALS_H
#define MUSTER_TUNE_TRIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/muster.h"

#define TRIAL_VALUES_MAX 8 /* the known value is one of them */
#define TRIAL_SIZES_MAX 8

typedef struct trial {
    const char *name; /* of the threshold */
    int ranks;        /* not more than CPUs */
    enum { TRIAL_SUM, TRIAL_GATHER, TRIAL_BROADCAST } operation;
    bool in_arena;
    size_t sizes[TRIAL_SIZES_MAX];            /* bytes of each rank; the last is 0, unless all are there */
    const char *values[TRIAL_VALUES_MAX - 1]; /* beside the known one, as MUSTER_TUNING has them */
    const char *with;                         /* other thresholds, for this trial: ",NAME=BYTES" */
} trial;

/* What was found. */
typedef struct trial_result {
    char value[24]; /* the best; the known one unless another gains enough */
    double gain;    /* of time, in place of the known value, on average over the sizes: 0.03 is 3 % */
    double us[2][TRIAL_VALUES_MAX][TRIAL_SIZES_MAX]; /* of even and odd rounds; the known value first */
} trial_result;

/* NULL past the end. */
const trial *trial_at(int index);

/* Launches ranks and measures, for some `seconds`. */
muster_status trial_run(const trial *trial, const char *known, double seconds, trial_result *result);

#endif
