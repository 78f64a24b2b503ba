/* The signals that come to `muster run`: those that a user sends to the job go through a pipe to its ranks.
 */
#ifndef MUSTER_RUN_SIGNALS_H
#define MUSTER_RUN_SIGNALS_H

#include <stdbool.h>
#include <sys/types.h>

/* Takes them from now on; returns the end of the pipe that muster_launch is to read, -1: there is none. The
 * job is asked to end when the watcher of hang.h wants it, and when the feeder of feed.h has failed. 0: there
 * is none. */
int signals_take(pid_t watcher, pid_t feeder);

/* The ranks are gone: what is said to a terminal in the background stops us until we may say it; and who asks
 * the job to end asks us. */
void signals_let_go(void);

/* By which signal we were asked, once the ranks were gone; 0: by none. */
int signals_late(void);

/* Whether the watcher has asked. */
bool signals_of_hang(void);

#endif
