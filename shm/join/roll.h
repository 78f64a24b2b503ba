/*
 * A roll: who belongs to a new group, with their shares, written down in the arena by one rank so that
 * others find it, also those who are in no group with it yet. Like everything that a peer wrote it is
 * read once and checked.
 */
#ifndef MST_ROLL_H
#define MST_ROLL_H

#include "shm/group/subarena.h"

/* Who is on it, in the order of the group, and how they wait. */
typedef struct mst_roll_call {
    mst_share *shares;
    int room; /* for so many */
    int size;
    mst_wait_policy policy;
} mst_roll_call;

uint64_t mst_roll_bytes(int size);

/* Writes it at an offset of ours; whoever publishes the offset publishes the roll. */
void mst_roll_write(const mst_geometry *geometry, uint32_t seat, uint64_t offset, const mst_roll_call *call);

/* Reads the one at an offset in that seat's heap; BAD_ARENA when there is none. */
muster_status mst_roll_read(const mst_geometry *geometry, uint32_t seat, uint64_t offset,
                            mst_roll_call *call);

/* The index of the one who sits there; -1: not on the roll. */
int mst_roll_find(const mst_roll_call *call, uint32_t seat);

#endif
