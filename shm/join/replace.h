/*
 * Replacing a dead rank: what a respawned process does after it has taken its seat and prepared its part,
 * until it is a member of the group that the others then create (src/onehost/create/regroup.c).
 */
#ifndef MST_REPLACE_H
#define MST_REPLACE_H

#include "shm/group/subarena.h"

/*
 * Announces that the replacement is ready, waits for admission, and opens the sub-arena of the group that
 * admitted it; `own` is our part of it. If the deadline passes, or no rank is left that could admit us, the
 * part is abandoned.
 */
muster_status mst_replace(mst_attachment *attachment, const mst_member *own, mst_subarena **group);

#endif
