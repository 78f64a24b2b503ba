/*
 * Waiting for pending operations, of one group or several, and testing one.
 *
 * The thread makes progress in each group of the set and looks whether an operation that it waits for is
 * over, or a group is broken. Between looks it sleeps on its doorbells in all these groups: whoever advances
 * an operation rings them. Each tick looks for deaths, and for members that are needed and have left, in all
 * groups. A wait for one operation, or for all, is part of wait cycles; a wait for any of several is not,
 * since each of them could end it.
 */
#ifndef MST_AWAIT_H
#define MST_AWAIT_H

#include "src/onehost/wait/pending.h"

/* For the backend's table. */
muster_status mst_pending_test(muster_group *group, uint64_t number, bool *over);
muster_status mst_pending_wait(mst_wait_set *set, size_t *index);

#endif
