/*
 * What a rank does in waits that have become long: at every tick it looks for members that have died or left
 * and for wait cycles, and calls the program's interrupt function. It does so for every call alike; a call
 * states what it is and which ranks it waits for.
 */
#ifndef MST_STALL_H
#define MST_STALL_H

#include "src/onehost/group.h"

/* What all calls of a kind have in common. */
typedef struct mst_wait_kind {
    /* Describes the call, for the report of a wait cycle. */
    void (*describe)(const void *call, char *text, size_t bytes);
    /* Gives two ranks that must both act; -1: none in particular. NULL: only the rank that the wait names. */
    void (*find_peers)(const void *call, int peers[2]);
    /* Whether a long wait may tick seldom: if deaths wake us, no published wait depends on our ticks, and
     * there is no interrupt function. */
    bool may_rest;
    /* The wait is for a regroup: it continues in a broken group, members may have left, and a wait cycle ends
     * only the waits of the other members in it, whose calls can fail. */
    bool regroups;
} mst_wait_kind;

/* A call that may wait; must exist as long as its waits. */
typedef struct mst_waiting {
    const mst_wait_kind *kind;
    mst_group *group;
    const void *call;
} mst_waiting;

/* The watch of its waits: what they do besides sleeping. */
mst_watch mst_waiting_watch(mst_waiting *waiting);

#endif
