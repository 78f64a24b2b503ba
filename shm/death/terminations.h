/*
 * What is known in the arena about the ends of ranks: one word per seat, which says how its rank ended, and
 * whether it can still write. Whoever finds out first records it, a rank (liveness.h) or the launcher, and it
 * never changes afterwards.
 */
#ifndef MST_TERMINATIONS_H
#define MST_TERMINATIONS_H

#include "muster/muster.h"
#include "shm/base/layout.h"

/* How a rank ended; MUSTER_TERMINATION_NONE while it has not. */
muster_termination mst_termination_of(const mst_geometry *geometry, uint32_t seat);
muster_termination mst_termination_unpack(uint64_t word); /* the word of an entry */

/* Whether a rank that has ended can no longer write. */
bool mst_termination_writes_no_more(const mst_geometry *geometry, uint32_t seat);

/* Records a termination, once, and wakes those who wait for ranks to attach or for terminations. */
void mst_termination_record(const mst_geometry *geometry, uint32_t seat, muster_termination termination);
void mst_termination_record_gone(const mst_geometry *geometry, uint32_t seat);

/* Which of two terminations was recorded first, by any rank. A rank that ended because of another rank's
 * death is recorded after it. */
bool mst_termination_precedes(const mst_geometry *geometry, uint32_t seat, uint32_t other);

/* Grows with every recorded termination: a cheap check whether anything has changed. */
uint32_t mst_termination_count(const mst_geometry *geometry);

#endif
