/* Arena buffers: blocks of this rank's heap that belong to a group. */
#ifndef MST_BUFFER_H
#define MST_BUFFER_H

#include "src/backend.h"

muster_status mst_buffer_alloc(muster_group *group, size_t bytes, void **buffer);
bool mst_buffer_release(muster_group *group, void *buffer); /* false: it is none of the group's */

#endif
