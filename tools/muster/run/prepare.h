/*
 * What a rank's process gets before it becomes the user's program: variables, folder, CPUs, input, and
 * perhaps a debugger or another command around it.
 */
#ifndef MUSTER_RUN_PREPARE_H
#define MUSTER_RUN_PREPARE_H

#include <wordexp.h>

#include "tools/muster/run/beside.h"
#include "tools/muster/run/feed.h"
#include "tools/muster/run/run_options.h"

typedef struct run_preparation {
    const run_options *options;
    run_feed feed;
    int master_port;                 /* --torch */
    char arena_malloc[BESIDE_BYTES]; /* --arena-malloc: the library that ranks preload */
    int input; /* our standard input, for the rank that it is for; -1: it is for none in particular */
    bool shown_on_terminal[2]; /* stdout, stderr: of a rank that reads the terminal, without us */
    wordexp_t words;           /* of --wrap */
    char **command;            /* room for a rank's own, with the words of --wrap before it */
} run_preparation;

/* What must be done once, in the command; may change options->launch.command. False: it cannot be done, and
 * stderr says why. */
bool prepare_all(run_preparation *preparation, run_options *options);

/* A muster_prepare_fn; `arg` is the run_preparation. */
const char *prepare_rank(int rank, void *arg);

#endif
