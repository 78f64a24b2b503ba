/*
 * Replacing a dead rank: what a process does that was started in its stead, once it has taken its seat and
 * prepared its share, until it is a member of the group that the others then make (src/onehost/regroup.c).
 */
#ifndef MST_REPLACE_H
#define MST_REPLACE_H

#include "shm/group/subarena.h"

/*
 * Says that we are there, waits to be admitted, and opens the sub-arena that we are a member of then;
 * `own` is our share of it. With the deadline past, or nobody left who could admit us,
 * the share is given up.
 */
muster_status mst_replace(mst_attachment *attachment, const mst_share *own, mst_subarena **group);

#endif
