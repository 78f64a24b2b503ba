/*
 * Fault points: named places before and after each store that changes what ranks share, where a test can
 * make a rank die, stop, be late or fail (tests/points), in its own threads and in the library's. In an
 * ordinary build they are where chaos delays a rank, if a user asks for it, and nothing else.
 *
 * A point is named after the store and the side of it: "sequence.publish" comes before the arrival,
 * "sequence.published" after it. True: the caller is to fail as if the system had refused; only points that
 * stand where something can be refused look at that. A point whose name begins with "never." marks what must
 * not happen: no run may come by.
 */
#ifndef MST_FAULT_H
#define MST_FAULT_H

#include <stdbool.h>

#include "shm/base/chaos.h"

#ifdef MUSTER_FAULT_POINTS
bool mst_fault_point(const char *name); /* the test's own */
#else
static inline bool mst_fault_point(const char *name)
{
    (void)name;
    mst_chaos();
    return false;
}
#endif

#endif
