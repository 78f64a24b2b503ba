/* Named arenas: how ranks that are started independently, in any order, come to share one arena. */
#ifndef MST_MEET_H
#define MST_MEET_H

#include "shm/arena/arena.h"
#include "shm/base/deadline.h"

/* The arena called `name`, created by the first rank to arrive; the others wait until `patience` is used up.
 * A name left by ranks that are all dead is removed and reused. */
muster_status mst_arena_meet(const char *name, const mst_arena_plan *plan, mst_deadline *patience,
                             mst_arena **arena);

#endif
