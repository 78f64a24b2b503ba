/*
 * Waits that have become long: at every tick a rank looks for members that are dead or have left, for wait
 * cycles of ranks that wait for each other, and asks the program whether to go on. It does so for every call
 * alike; a call says what it is, and whom it waits for.
 */
#ifndef MST_STALL_H
#define MST_STALL_H

#include "src/onehost/group.h"

/* What is the same of all calls of a kind. */
typedef struct mst_wait_kind {
    /* The call in words, for others in a wait cycle. */
    void (*describe)(const void *call, char *text, size_t bytes);
    /* The two ranks, both of whom must act; -1: nobody in particular. NULL: only the one that the wait names.
     */
    void (*find_peers)(const void *call, int peers[2]);
    /* Whether a long wait may tick seldom, where deaths wake us, nobody counts our looks for wait cycles, and
     * the program does not want to be asked. */
    bool may_rest;
    /* The wait is for a regroup: also in a broken group, and a cycle ends the waits of the others in it,
     * which are in calls that can end so. Members may have left. */
    bool regroups;
} mst_wait_kind;

/* A call that waits; as long as it may. */
typedef struct mst_waiting {
    const mst_wait_kind *kind;
    mst_group *group;
    const void *call;
} mst_waiting;

/* What its waits do beside sleeping. */
mst_watch mst_waiting_watch(mst_waiting *waiting);

#endif
