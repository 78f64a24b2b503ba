/* Arena buffers: blocks of this rank's heap that belong to a group and are freed with it. */
#ifndef MST_BUFFER_H
#define MST_BUFFER_H

#include "src/backend.h"

muster_status mst_buffer_alloc(muster_group *group, size_t bytes, void **buffer);
bool mst_buffer_release(muster_group *group, void *buffer); /* false: not a buffer of this group */

#endif
