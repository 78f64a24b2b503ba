/* What is written after `muster run`, as a launch config. Also fuzzed by itself. */
#ifndef MUSTER_RUN_OPTIONS_H
#define MUSTER_RUN_OPTIONS_H

#include "muster/muster.h"

#define RUN_PARSED (-1)

/* Fills the config in, whose command then points into argv: RUN_PARSED. Else an exit status, with help
 * printed where it was asked for, or what was wrong on stderr. */
int parse_run(int argc, char **argv, muster_launch_config *config);

#endif
