/*
 * Watching for hangs: a process of its own looks at the job now and then, as muster inspect does, and says so
 * when a rank has waited for too long.
 */
#ifndef MUSTER_RUN_HANG_H
#define MUSTER_RUN_HANG_H

#include <sys/types.h>

#include "tools/muster/run/run_options.h"

/* Starts it; it ends with this process, which it sends TERM where a hang is to end the job. -1: it cannot be,
 * and stderr says why. */
pid_t hang_watch(const run_options *options);

/* How long a wait is too long. */
double hang_after_seconds(const run_options *options);

#endif
