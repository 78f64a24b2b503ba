/* Creates groups on sub-arenas. */
#ifndef MST_CREATE_H
#define MST_CREATE_H

#include "src/onehost/group/group.h"

/* Creates a group on a sub-arena, of which it takes ownership, also on failure. */
muster_status mst_group_create(mst_subarena *subarena, const mst_kernels *kernels, int64_t timeout_ns,
                               mst_group **group);

/* For the backend's table: frees a group. */
void mst_group_close(muster_group *group);

#endif
