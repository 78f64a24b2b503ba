/* From one group, a group per color: the backend's split. */
#ifndef MST_SPLIT_H
#define MST_SPLIT_H

#include "src/backend.h"

muster_status mst_split(muster_group *group, int color, int key, muster_group **child);

#endif
