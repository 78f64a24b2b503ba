/*
 * Watching for hangs: a process of its own looks at the job now and then, as muster inspect does, and says so
 * when a rank has waited for too long.
 */
#ifndef MUSTER_CLI_HANG_H
#define MUSTER_CLI_HANG_H

#include "src/cli/run_options.h"

/* Starts it; it ends with this process. False: it cannot be, and stderr says why. */
bool hang_watch(const run_options *options);

#endif
