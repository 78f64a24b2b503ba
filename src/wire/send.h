/* Sends messages: small ones at once while there is room for them, others when their receive is there. With
 * the wire's lock. */
#ifndef MST_WIRE_SEND_H
#define MST_WIRE_SEND_H

#include "src/wire/inside.h"

/* Sends, offers, or lets wait; the operation may be over then. */
muster_status mst_wire_send(mst_wire_op *op);

#endif
