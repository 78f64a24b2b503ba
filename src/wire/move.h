/* Moving frames, and who may. With the wire's lock. */
#ifndef MST_WIRE_MOVE_H
#define MST_WIRE_MOVE_H

#include "src/wire/inside.h"

/* Moves frames; *moved: something has come. */
void mst_wire_move(mst_wire *wire, bool *moved);

/* Moves frames until none comes, or, if senders do not stop, a number of times, in which each source has had
 * its turn. */
void mst_wire_move_all(mst_wire *wire);

/* UNSUPPORTED: this thread may not call what carries the frames, which still can be called. */
muster_status mst_wire_check_thread(mst_wire *wire);

#endif
