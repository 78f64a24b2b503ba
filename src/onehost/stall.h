/* Waits that have become long: what a rank looks for meanwhile. */
#ifndef MST_STALL_H
#define MST_STALL_H

#include "src/onehost/group.h"

/* A wait that has become long: for whom, since when, and as part of what. */
typedef struct mst_stall {
    int peers[2]; /* all of whom must act; -1: nobody in particular */
    int64_t slept_ns;
    void (*describe)(const void *arg, char *text, size_t bytes); /* of the call; NULL: none to speak of */
    const void *arg;
    /* The wait is for a regroup: also in a broken group, and a cycle ends the waits of the others in it,
     * which are in calls that can end so. */
    bool regroups;
} mst_stall;

/* The parts of a watch. Looks for members that are dead and for wait cycles of ranks that wait for each
 * other, and poisons; true: a peer has left. It is lost, if it has: poisons. And the end. */
bool mst_group_stalled(mst_group *group, const mst_stall *stall);
void mst_group_lost(mst_group *group, int peer);
void mst_group_woke(mst_group *group);
/* Deaths wake us, nobody counts our looks for wait cycles, and nobody wants to be asked. */
bool mst_group_may_rest(const mst_group *group);

/* The watch of a wait that is not a call's. */
mst_watch mst_group_watch(mst_group *group);

#endif
