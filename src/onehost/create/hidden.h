/*
 * Creates the group of a share or a queue: of all members of another group, which nobody else knows, and in
 * which each member has a block of its heap in place of staging. All members get theirs, or none does.
 */
#ifndef MST_HIDDEN_H
#define MST_HIDDEN_H

#include "src/onehost/create/agree.h"

typedef struct mst_hidden {
    mst_makes makes;
    const char *name; /* of the call */
    /* What this rank states: `color` and `details` are the caller's to use. */
    mst_split_record own;
    /* Bytes of a member's block, from its record; 0: more than there can be. */
    uint64_t (*bytes)(const mst_split_record *record, int rank, int size);
    /* Compares the records further, and breaks the parent if they do not agree; NULL: there is nothing more.
     */
    muster_status (*compare)(mst_group *parent);
    mst_member *members; /* room for one per rank; filled in */
} mst_hidden;

/* Collective; blocks. `prepared`: what has become of this rank's own preparations; an error, of which the
 * sentence is the last, makes all fail. */
muster_status mst_hidden_create(mst_group *parent, mst_hidden *plan, muster_status prepared,
                                mst_group **made);

#endif
