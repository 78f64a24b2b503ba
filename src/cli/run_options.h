/* What is written after `muster run`, as options. Also fuzzed by itself. */
#ifndef MUSTER_RUN_OPTIONS_H
#define MUSTER_RUN_OPTIONS_H

#include "muster/muster.h"

#define RUN_PARSED (-1)

typedef struct run_options {
    muster_launch_config launch; /* its command points into argv */
    bool mlx;                    /* the ranks are MLX programs */
} run_options;

/* Fills the options in: RUN_PARSED. Else an exit status, with help printed where it was asked for, or what
 * was wrong on stderr. */
int parse_run(int argc, char **argv, run_options *options);

#endif
