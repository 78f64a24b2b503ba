/* Groups over frames from groups over frames. */
#ifndef MST_WIRE_MAKING_H
#define MST_WIRE_MAKING_H

#include "src/wire/inside.h"

/* For the backend's table. Each member tells all others which list it has been given, and whether it has
 * memory for its part. */
muster_status mst_wire_subset(muster_group *group, const int *ranks, int count, muster_group **made);

/* A second group of the same members: the first one, of a group that is whole, has the next number, and is
 * made without a word to the others. */
muster_status mst_wire_dup(muster_group *group, muster_group **copy);

#endif
