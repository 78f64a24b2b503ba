/* Sends messages: small ones at once while there is room for them, others when their receive is there. With
 * the wire's lock. */
#ifndef MST_WIRE_SEND_H
#define MST_WIRE_SEND_H

#include "src/wire/inside.h"

/* Whether a message of so many bytes may be buffered at that member, beside what is there. */
bool mst_wire_has_room(const mst_wire_group *group, int to, size_t bytes);

/* Sends, or offers; the operation may be over then. */
muster_status mst_wire_send(mst_wire_op *op);

#endif
