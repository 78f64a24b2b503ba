/* shrink and grow: the backend's regroup function. */
#ifndef MST_REGROUP_H
#define MST_REGROUP_H

#include "src/backend.h"

muster_status mst_regroup(muster_group *group, bool grows, muster_group **made);

#endif
