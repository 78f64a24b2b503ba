/*
 * Who takes whose place.
 *
 * The launcher says of every seat whose rank has ended who sits in its stead: a rank in another seat,
 * which may not be there yet, or nobody (E15). From the seat that a rank began in, those words lead to
 * the seat that it has now. A replacement takes its seat, prepares its share, and waits there until the
 * others put it on the membership list of a new group: its admission (E16), by compare-and-swap, so that it
 * joins one group only, whoever of the others tells it.
 */
#ifndef MST_SUCCESSOR_H
#define MST_SUCCESSOR_H

#include "shm/death/liveness.h"

#define MST_NO_SEAT UINT32_MAX

/* The launcher's word on a seat whose rank has ended, or will not start. Once for each. */
void mst_successor_decide(const mst_geometry *geometry, uint32_t seat, uint32_t successor);

typedef enum mst_presence {
    MST_PRESENT, /* in the world's groups */
    MST_WAITING, /* to be admitted */
    MST_COMING,  /* a replacement has been promised, or may be */
    MST_LOST     /* dead or gone, and nobody comes instead */
} mst_presence;

/* How it stands with a rank of the world, and in which seat that one is. */
mst_presence mst_successor_look(mst_liveness *liveness, uint32_t rank, uint32_t *seat);

/* The seat of the process that is a rank after so many replacements; MST_NO_SEAT: none was announced. */
uint32_t mst_successor_seat(const mst_geometry *geometry, uint32_t rank, uint32_t replacements);

/* Puts who waits in `seat` on the membership list that lies at an offset of another's heap, unless it has
 * given up and is leaving; false: it is on another membership list. */
bool mst_successor_admit(const mst_geometry *geometry, uint32_t seat, uint32_t list_seat,
                         uint64_t list_offset);

/* The replacement's side: whether it has been admitted, and where the membership list is; and giving up,
 * which is false if it has been admitted meanwhile. */
bool mst_successor_admitted(const mst_geometry *geometry, uint32_t seat, uint32_t *list_seat,
                            uint64_t *list_offset);
bool mst_successor_give_up(const mst_geometry *geometry, uint32_t seat);

#endif
