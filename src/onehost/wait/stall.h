/*
 * What a rank does in waits that have become long: at every tick it looks for members that have died or left
 * and for wait cycles, and calls the program's interrupt function. It does so for every call alike; a call
 * states what it is and which ranks it waits for.
 */
#ifndef MST_STALL_H
#define MST_STALL_H

#include "src/onehost/group/group.h"

/* In place of a rank: any of the other members would do. */
#define MST_ANY_PEER (-2)

/* What all calls of a kind have in common. */
typedef struct mst_wait_kind {
    /* Describes the call, for the report of a wait cycle. */
    void (*describe)(const void *call, char *text, size_t bytes);
    /* Gives two ranks that must both act; -1: none in particular; MST_ANY_PEER. NULL: only the rank that the
     * wait names. */
    void (*find_peers)(const void *call, int peers[2]);
    /* In place of those, for wait cycles: the seats of ranks of which any one might end the wait; false: of
     * others, too, so that it is part of no cycle. NULL: those of find_peers decide. */
    bool (*find_any)(const void *call, mst_seats *seats);
    /* Publishes its activity, if it could not before because another thread had published one; at each tick.
     * NULL: no other thread is in calls of the class. */
    void (*show)(const void *call);
    /* Breaks the group if peers have done what makes the wait one for ever; at each tick. NULL: nothing does.
     */
    void (*look)(const void *call);
    /* Whether a long wait may tick seldom: if deaths wake us, no published wait depends on our ticks, and
     * there is no interrupt function. */
    bool may_rest;
    /* The wait is for a regroup: it continues in a broken group, members may have left, and a wait cycle ends
     * only the waits of the other members in it, whose calls can fail. */
    bool regroups;
    /* What ends the wait ends this call alone, which has left nothing half done; `interrupted` of the group
     * says what it was. Of deaths only those of the awaited members matter. */
    bool alone;
    void (*keep_cycle)(const void *call,
                       const char *cycle); /* of a wait that ends alone: it is in this cycle */
    /* Something else may end the wait: it is part of no wait cycle. */
    bool open;
} mst_wait_kind;

/* A call that may wait; must exist as long as its waits. */
typedef struct mst_waiting {
    const mst_wait_kind *kind;
    mst_group *group;
    const void *call;
} mst_waiting;

/* Whether a member has ended, or has left the group: it does nothing more in it. */
bool mst_member_is_gone(const mst_group *group, int rank);
/* Whether a member that a rank waits for has left, or gone to a shrink or grow, so that it enters no call any
 * more; and breaks the group if it has. Rank -1 is nobody, MST_ANY_PEER any that would do. */
bool mst_group_is_lost(const mst_group *group, int rank);
void mst_group_lose(mst_group *group, int rank);

/* Adds to a set the seat of a member, or with MST_ANY_PEER those of all that would do, but of none that has
 * left. In a group of one that is this rank itself. */
void mst_seats_add_peer(mst_seats *seats, const mst_group *group, int peer);

/* The watch of its waits: what they do besides sleeping. */
mst_watch mst_waiting_watch(mst_waiting *waiting);

#endif
