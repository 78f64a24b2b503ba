/*
 * Fault points: named places before and after each store to shared state, where a test can make a rank die,
 * stop, be delayed or fail (tests/points), in its own threads and in the library's. In an ordinary build a
 * fault point only applies chaos, if the user enabled it.
 *
 * A point is named after the store and the side of it: "sequence.publish" is before the arrival is stored,
 * "sequence.published" after it. The return value true asks the caller to fail as if the system had refused;
 * only points where the system can refuse something check it. A point whose name begins with "never." marks
 * what must not happen: no run may reach it.
 */
#ifndef MST_FAULT_H
#define MST_FAULT_H

#include <stdbool.h>

#include "shm/base/chaos.h"

#ifdef MUSTER_FAULT_POINTS
bool mst_fault_point(const char *name); /* defined by the test */
#else
static inline bool mst_fault_point(const char *name)
{
    (void)name;
    mst_chaos();
    return false;
}
#endif

#endif
