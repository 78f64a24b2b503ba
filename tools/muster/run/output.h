/*
 * Showing what ranks print: a prefix in the rank's color, the time, only some of the ranks, and a file for
 * each that keeps all of it.
 */
#ifndef MUSTER_RUN_OUTPUT_H
#define MUSTER_RUN_OUTPUT_H

#include "tools/muster/run/run_options.h"

typedef struct run_output {
    const run_options *options;
    bool colored[2];            /* stdout, stderr */
    int logs[RUN_RANKS_MAX][2]; /* descriptors; -1: not kept */
    int log_error;              /* of the first write to one that failed; 0: none has */
} run_output;

/* Opens the files; false: they cannot be, and stderr says why. */
bool output_open(run_output *output, const run_options *options);

/* Closes them; false: they do not have all that was printed, and stderr says why. */
bool output_close(run_output *output);

/* A muster_show_fn; `arg` is the run_output. */
bool output_show(const muster_line *line, char head[MUSTER_HEAD_BYTES], void *arg);

#endif
