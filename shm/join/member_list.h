/*
 * A membership list: the members of a new group, with their parts, written into the arena by one rank, so
 * that others can find it, including ranks that share no group with it yet. Like everything that a peer
 * wrote, it is read once and checked.
 */
#ifndef MST_MEMBER_LIST_H
#define MST_MEMBER_LIST_H

#include "shm/group/subarena.h"

/* The members, in the order of the group, and how they wait. */
typedef struct mst_member_list {
    mst_member *members;
    int room; /* capacity of `members` */
    int size;
    mst_wait_policy policy;
} mst_member_list;

uint64_t mst_member_list_bytes(int size);

/* Writes the list at an offset of our heap; publishing the offset publishes the list. */
void mst_member_list_write(const mst_geometry *geometry, uint32_t seat, uint64_t offset,
                           const mst_member_list *list);

/* Reads the list at an offset of that seat's heap; BAD_ARENA if there is none. */
muster_status mst_member_list_read(const mst_geometry *geometry, uint32_t seat, uint64_t offset,
                                   mst_member_list *list);

/* The index of the member in that seat; -1: not on the list. */
int mst_member_list_find(const mst_member_list *list, uint32_t seat);

#endif
