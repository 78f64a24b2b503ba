/* Frames that come before their group is there: some members have made it, and this one still waits. With the
 * wire's lock. */
#ifndef MST_WIRE_EARLY_H
#define MST_WIRE_EARLY_H

#include "src/wire/inside.h"

/* Keeps a frame, unless its group will never be there. False: it is no frame of a group. */
bool mst_wire_keep_early(mst_wire *wire, int from, const mst_wire_head *head, const void *data, size_t bytes);

/* The first one for that group, which belongs to the caller then; NULL: there is none. */
mst_wire_early *mst_wire_take_early(mst_wire *wire, uint64_t number);

/* Frees those whose groups will never be there, as their making has failed. */
void mst_wire_drop_early(mst_wire *wire);

#endif
