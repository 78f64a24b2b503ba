/* Ranks as threads of one process on one mapping: for tests, and for finding races with ThreadSanitizer,
 * which sees nothing across processes or across two mappings. */
#ifndef MST_THREADS_H
#define MST_THREADS_H

#include "shm/arena/arena.h"

muster_status mst_launch_threads(const muster_launch_config *config, mst_arena *arena, muster_rank_fn fn,
                                 void *arg, muster_report *report);

#endif
