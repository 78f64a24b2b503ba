/*
 * Pauses between looks. Nobody wakes a rank that waits for another machine, so it looks again and again: some
 * times at once, and then it sleeps between looks, longer each time, up to a millisecond. Where looks take
 * long, as other programs contend for the CPU, it sleeps at once: whoever has slept is preferred.
 */
#ifndef MST_WIRE_PAUSE_H
#define MST_WIRE_PAUSE_H

#include <stdbool.h>

#include "shm/base/deadline.h"

/* Of a wait, which may be of several operations with different limits: the deadline's is set before each use.
 */
typedef struct mst_wire_pause {
    mst_deadline deadline;
    int64_t nap_ns, looked_ns, ticked_ns;
    int looks;
} mst_wire_pause;

void mst_wire_pause_begin(mst_wire_pause *pause);

/* `moved`: it is worth looking at once. True: interrupt functions are to be asked. */
bool mst_wire_pause_once(mst_wire_pause *pause, bool moved);

/* Whether that limit has passed; 0: there is none. */
bool mst_wire_pause_is_late(mst_wire_pause *pause, int64_t limit_ns);

#endif
