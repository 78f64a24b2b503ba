/*
 * `muster run --gdb`: the rank's command in gdb. On a terminal gdb takes the rank's place and is worked with.
 * Without one it prints where the command crashes; the rank then is a process of ours beside gdb, which ends
 * as the command has ended, by the same signal or status, so that the last line of `muster run` says what it
 * would say without gdb.
 */
#ifndef MUSTER_CLI_DEBUG_H
#define MUSTER_CLI_DEBUG_H

/* In a rank: does not return but when gdb cannot be started; then, why not. */
const char *debug_run(const char *const *command);

#endif
