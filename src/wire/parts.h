/* Messages that are offered: operations have numbers until they are over, and the sender sends parts when the
 * receiver has accepted. With the wire's lock. */
#ifndef MST_WIRE_PARTS_H
#define MST_WIRE_PARTS_H

#include "src/wire/inside.h"

/* Numbers an operation whose message is offered, or accepted, and the opposite. */
void mst_wire_identify(mst_wire_op *op);
void mst_wire_lose_id(mst_wire_op *op);

/* That one of the group; NULL: it has been taken back. */
mst_wire_op *mst_wire_find_op(const mst_wire_group *group, uint64_t id, bool sends);

/* Lists of operations; one that is in none is in none after it was taken out. */
void mst_wire_list(mst_wire_ops *list, mst_wire_op *op);
void mst_wire_unlist(mst_wire_op *op);

/* What it has offered, a member has accepted. */
void mst_wire_be_accepted(mst_wire_group *group, const mst_wire_head *head);

/* Sends parts of what was accepted, as many as may be on their way. */
void mst_wire_send_parts(mst_wire *wire);

#endif
