/* What comes: matches messages with receives, and moves what was offered. With the wire's lock. */
#ifndef MST_WIRE_ARRIVE_H
#define MST_WIRE_ARRIVE_H

#include "src/wire/inside.h"

/* A frame from that process. */
void mst_wire_arrive(mst_wire *wire, int from, const void *frame, size_t count);

/* What came for the group before it was there. */
void mst_wire_arrive_early(mst_wire_group *group);

/* A message from this process to itself: as others, its bytes are copied if there is room for them, or if its
 * receive is there, which ends it; else it waits for that. False: no memory. */
bool mst_wire_arrive_own(mst_wire_op *op);

/* Posts a receive, or takes the first message that matches it. */
void mst_wire_receive(mst_wire_op *op);

/* Takes an operation back that is not over, or is: nobody writes to its buffer any more. */
void mst_wire_forget(mst_wire_op *op);

/* Whether a message of that source and tag, which may be any, is there; *result: what it is. */
bool mst_wire_probe(mst_wire_group *group, int source, int tag, muster_message *result);

#endif
