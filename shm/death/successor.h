/*
 * Which process replaces which rank.
 *
 * For every seat whose rank has ended, the launcher stores who replaces it: the rank of another seat, which
 * may not have started yet, or nobody (E15). Following these words from the seat in which a rank started
 * leads to the seat that it has now. A replacement takes its seat, prepares its part of the group, and waits
 * until the others put it on the membership list of a new group. That is its admission (E16), stored by
 * compare-and-swap, so that it joins only one group, whichever member tells it.
 */
#ifndef MST_SUCCESSOR_H
#define MST_SUCCESSOR_H

#include "shm/death/liveness.h"

#define MST_NO_SEAT UINT32_MAX

/* The launcher's decision on a seat whose rank has ended, or will not start. Once for each seat. */
void mst_successor_decide(const mst_geometry *geometry, uint32_t seat, uint32_t successor);

typedef enum mst_presence {
    MST_PRESENT, /* in the groups of the world */
    MST_WAITING, /* to be admitted */
    MST_COMING,  /* a replacement has been announced, or may be */
    MST_LOST     /* dead or gone, and not replaced */
} mst_presence;

/* The state of a rank of the world, and the seat that it has now. */
mst_presence mst_successor_look(mst_liveness *liveness, uint32_t rank, uint32_t *seat);

/* The seat of a rank after `replacements` replacements; MST_NO_SEAT: fewer were announced. */
uint32_t mst_successor_seat(const mst_geometry *geometry, uint32_t rank, uint32_t replacements);

/* Admits the rank that waits in `seat` to the membership list at an offset of another seat's heap, unless it
 * has given up and is leaving; false: it is on another membership list. */
bool mst_successor_admit(const mst_geometry *geometry, uint32_t seat, uint32_t list_seat,
                         uint64_t list_offset);

/* For the replacement: whether it has been admitted, and where the membership list is; and giving up, which
 * returns false if it has been admitted meanwhile. */
bool mst_successor_admitted(const mst_geometry *geometry, uint32_t seat, uint32_t *list_seat,
                            uint64_t *list_offset);
bool mst_successor_give_up(const mst_geometry *geometry, uint32_t seat);

#endif
