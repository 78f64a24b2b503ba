/*
 * Processes that help `muster run`: one that gives ranks their input, one that watches for hangs, one that
 * collects a trace. Signals that a user sends to the job, or to its process group, are for its ranks: a
 * helper ignores them.
 */
#ifndef MUSTER_HELPER_H
#define MUSTER_HELPER_H

#include <signal.h>
#include <sys/types.h>

/* The signals that are passed on to ranks. */
void helper_list_passed(sigset_t *passed);

/* As fork(), of a helper. */
pid_t helper_fork(void);

/* In a helper: it is killed with the process that has forked it. */
void helper_end_with(pid_t parent);

/* How a helper has failed: its exit status, or 128 plus the signal that killed it. 0: it runs, or has ended
 * well. For signal handlers, too. */
int helper_failure(pid_t helper);

#endif
