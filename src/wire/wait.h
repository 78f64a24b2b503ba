/* Waiting over frames: looking again and again, with pauses (pause.h). */
#ifndef MST_WIRE_WAIT_H
#define MST_WIRE_WAIT_H

#include "src/wire/inside.h"
#include "src/wire/pause.h"

/* Whether the operation is over; an error: it never will be. With the lock. */
muster_status mst_wire_look(mst_wire_op *op, mst_wire_pause *pause, int64_t limit_ns, bool *over);

/* Moves frames, and gives up the lock for a while, in which it asks the interrupt function of each group; one
 * that is to stop is broken then. */
void mst_wire_rest(const mst_wait_set *set, mst_wire *wire, mst_wire_pause *pause);

/* Waits until all of these are over. With the lock, which it gives up meanwhile. */
muster_status mst_wire_await(mst_wire_op *const *ops, int count, int64_t limit_ns);

/* Waits for a message to probe. */
muster_status mst_wire_await_message(mst_wire_group *group, int source, int tag);

#endif
