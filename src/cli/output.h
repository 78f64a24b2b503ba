/*
 * Showing what ranks print: a prefix in the rank's color, the time, only some of the ranks, and a file for
 * each. One write per line, so that a line is never broken by another's.
 */
#ifndef MUSTER_CLI_OUTPUT_H
#define MUSTER_CLI_OUTPUT_H

#include "src/cli/run_options.h"

typedef struct run_output {
    const run_options *options;
    bool colored[2];            /* stdout, stderr */
    int logs[RUN_RANKS_MAX][2]; /* descriptors; -1: not kept */
} run_output;

/* Opens the files; false: they cannot be, and stderr says why. */
bool output_open(run_output *output, const run_options *options);
void output_close(run_output *output);

/* A muster_output_fn; `arg` is the run_output. */
void output_line(int rank, int fd, const char *line, size_t bytes, void *arg);

#endif
