/* Making of groups. */
#ifndef MST_CREATE_H
#define MST_CREATE_H

#include "src/onehost/group.h"

/* Makes a group on a sub-arena, and takes that over (also on failure). */
muster_status mst_group_create(mst_subarena *subarena, const mst_kernels *kernels, int64_t timeout_ns,
                               mst_group **group);

#endif
