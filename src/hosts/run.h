/*
 * Carries out the actions of a collective over several hosts. Nothing here waits: whoever does calls
 * mst_run_advance again and again. A group runs one collective at a time, in the order in which they were
 * entered.
 */
#ifndef MST_HOSTS_RUN_H
#define MST_HOSTS_RUN_H

#include "src/hosts/actions.h"

/* Starts what can be started. Whether it is over, then or before. Needs the group's lock. */
bool mst_run_advance(mst_run *run);

/* Ends it, with the thread's latest error. */
void mst_run_fail(mst_run *run, muster_status status);

#endif
