/*
 * `muster run --gdb`: runs the rank's command in gdb. On a terminal gdb replaces the rank's process, and the
 * user works with it. Without a terminal gdb prints where the command crashes, and the rank's process stays
 * beside it: it ends by the same signal or status as the command, so that `muster run` reports the same as
 * without gdb.
 */
#ifndef MUSTER_RUN_DEBUG_H
#define MUSTER_RUN_DEBUG_H

/* To be called in a rank's process. Returns only if gdb cannot be started: the reason. */
const char *debug_run(const char *const *command);

#endif
