/*
 * A membership list: who belongs to a new group, with their shares, written down in the arena by one rank so
 * that others find it, also those who are in no group with it yet. Like everything that a peer wrote it is
 * read once and checked.
 */
#ifndef MST_MEMBER_LIST_H
#define MST_MEMBER_LIST_H

#include "shm/group/subarena.h"

/* Who is on it, in the order of the group, and how they wait. */
typedef struct mst_member_list {
    mst_share *shares;
    int room; /* for so many */
    int size;
    mst_wait_policy policy;
} mst_member_list;

uint64_t mst_member_list_bytes(int size);

/* Writes it at an offset of ours; whoever publishes the offset publishes the membership list. */
void mst_member_list_write(const mst_geometry *geometry, uint32_t seat, uint64_t offset,
                           const mst_member_list *call);

/* Reads the one at an offset in that seat's heap; BAD_ARENA when there is none. */
muster_status mst_member_list_read(const mst_geometry *geometry, uint32_t seat, uint64_t offset,
                                   mst_member_list *call);

/* The index of the one who sits there; -1: not on the membership list. */
int mst_member_list_find(const mst_member_list *call, uint32_t seat);

#endif
