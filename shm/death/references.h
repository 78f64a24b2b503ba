/*
 * Which ranks may still read whose memory: for each seat, one bit per other seat whose rank is in a group
 * with it.
 *
 * A dead rank cannot free its memory, and others may be reading it in groups that they have not freed yet. So
 * a rank that leaves its last group with the dead rank clears its bit, and when no living rank has one, and
 * the dead rank can no longer write, the seat's heap is released to the system. A seat is never reused, so
 * this happens once, and doing it twice is harmless.
 */
#ifndef MST_REFERENCES_H
#define MST_REFERENCES_H

#include "shm/death/liveness.h"

/* Sets the bit of the rank in seat `self`, before that rank (or another on its behalf) announces its first
 * group with the rank in `seat`; and clears it after the last. */
void mst_references_add(const mst_geometry *geometry, uint32_t seat, uint32_t self);
void mst_references_remove(const mst_geometry *geometry, uint32_t seat, uint32_t self);

/* Releases the heaps of dead ranks that no living rank may read, except those already in `done` (by seat).
 * Returns whether there are dead ranks whose memory cannot be released yet. */
bool mst_references_release_dead(const mst_geometry *geometry, bool *done);

#endif
