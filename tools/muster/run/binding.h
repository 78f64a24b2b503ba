/*
 * Which CPUs a rank gets, out of those that this process may use. Nothing is changed unless asked for.
 */
#ifndef MUSTER_RUN_BINDING_H
#define MUSTER_RUN_BINDING_H

#include "tools/muster/run/run_options.h"

/* NULL, or what is wrong with this machine for it. */
const char *binding_check(const run_options *options);

/* In the rank: binds it, and says its share in OMP_NUM_THREADS unless that is set. NULL, or what failed. */
const char *binding_apply(const run_options *options, int rank);

/* Says so on stderr when ranks that are to have CPUs of their own share them. */
void binding_warn(const run_options *options);

/* One line per rank, on stderr. */
void binding_report(const run_options *options);

#endif
