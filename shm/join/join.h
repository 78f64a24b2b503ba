/*
 * Joining: a rank takes its seat in an arena and waits until every other rank has taken its own.
 *
 * The rank claims its entry, prepares its part of the world (cell 0 and the first block of its heap, whose
 * offsets are therefore known to all), publishes that it is attached, and waits. The last rank to attach, or
 * the first to give up, settles the rendezvous for all and removes the arena's name, so that it is removed
 * exactly once.
 */
#ifndef MST_JOIN_H
#define MST_JOIN_H

#include "shm/group/subarena.h"

typedef struct mst_joiner {
    int rank;
    int replacements; /* number of dead processes that were this rank before; see replace.h */
    mst_attachment_config config;
} mst_joiner;

/*
 * Joins the arena; the error at the deadline names the ranks that have not attached. Takes ownership of
 * `arena`, which is closed when the rank's last group is freed, or on failure. `world` is the sub-arena of
 * the world or, for a replacement, of the group that admitted it.
 */
muster_status mst_join(mst_arena *arena, const mst_joiner *joiner, mst_subarena **world);

#endif
