/*
 * What is known in the arena about the ends of ranks: one word per seat, which says how its rank ended, and
 * whether it can still write. Whoever finds out first records it, a rank (liveness.h) or the launcher, and it
 * never changes afterwards.
 */
#ifndef MST_TERMINATIONS_H
#define MST_TERMINATIONS_H

#include "muster/muster.h"
#include "shm/base/layout.h"
#include "shm/port/os.h"

/* How a rank ended; MUSTER_TERMINATION_NONE while it has not. */
muster_termination mst_termination_of(const mst_geometry *geometry, uint32_t seat);
muster_termination mst_termination_unpack(uint64_t word); /* the word of an entry */

/* What the system has said of a process that is not running any more. */
muster_termination mst_termination_of_process(mst_os_termination found, int code);

/* Of several ends that are found at one look, those by a signal are recorded first (`killed_only`), then the
 * others. Which of them came first is not to be seen; but a rank that a signal ended did not end because of
 * another one, and a rank that exits may have learned of that death where nobody has recorded it here: by
 * another arena, or a socket. */
bool mst_termination_is_for_later(muster_termination termination, bool killed_only);

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
