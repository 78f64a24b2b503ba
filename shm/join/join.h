/*
 * Joining: a rank takes its place in an arena and waits until every other rank has taken its own.
 *
 * The rank claims its entry, prepares its share of the world (cell 0 and the first block of its
 * heap, so that everyone can find them without being told), publishes that it is attached, and
 * waits. The last to come, or the first to give up, settles the rendezvous for all and removes the
 * arena's name, so that it is removed exactly once.
 */
#ifndef MST_JOIN_H
#define MST_JOIN_H

#include "shm/group/subarena.h"

typedef struct mst_joiner {
    int rank;
    int replacements;        /* how many processes were the rank before, all dead; see replace.h */
    mst_detection detection; /* the best way of learning of deaths that may be tried */
    mst_interrupt interrupt;
    mst_deadline patience; /* with the others; what has been waited for the arena counts */
} mst_joiner;

/*
 * Joins the arena; past the deadline those who did not come are named. `arena` is taken over:
 * closed when the last group of the rank goes, or on failure. `world` is the sub-arena of the world, or,
 * for a replacement, of the group that it was taken into.
 */
muster_status mst_join(mst_arena *arena, const mst_joiner *joiner, mst_subarena **world);

#endif
