/* split: from one group, a group per color; and dup. The backend's functions. */
#ifndef MST_SPLIT_H
#define MST_SPLIT_H

#include "src/backend.h"

muster_status mst_split(muster_group *group, int color, int key, muster_group **child);
muster_status mst_dup(muster_group *group, muster_group **copy);

#endif
