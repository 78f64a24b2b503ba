/* split: from one group, a group per color. The backend's split function. */
#ifndef MST_SPLIT_H
#define MST_SPLIT_H

#include "src/backend.h"

muster_status mst_split(muster_group *group, int color, int key, muster_group **child);

#endif
