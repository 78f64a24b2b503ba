/*
 * Who still reads the memory of whom: for each seat, one bit per other seat whose rank is in a group with it.
 *
 * A dead rank cannot give its memory back, and others may be reading it in groups that they have not given
 * back yet. So whoever leaves the last group that it had with a dead rank takes its bit back, and when no
 * living rank has one, and the dead can write no more, the seat's heap goes back to the system. A seat
 * is never used again, so this happens once, and doing it twice is harmless.
 */
#ifndef MST_REFERENCES_H
#define MST_REFERENCES_H

#include "shm/death/liveness.h"

/* For the rank in seat `self`: before it, or another on its behalf, says that it is in a first group with the
 * one in `seat`; and when it is out of the last. */
void mst_references_add(const mst_geometry *geometry, uint32_t seat, uint32_t self);
void mst_references_remove(const mst_geometry *geometry, uint32_t seat, uint32_t self);

/* Gives the heaps of the dead back that nobody alive may read, but for those that `done` notes (by seat).
 * Whether there are dead whose memory cannot go yet. */
bool mst_references_release_dead(const mst_geometry *geometry, bool *done);

#endif
