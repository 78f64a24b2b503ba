/* subset: a group of some members, which only those make. The backend's function. */
#ifndef MST_SUBSET_H
#define MST_SUBSET_H

#include "src/backend.h"

muster_status mst_subset(muster_group *group, const int *ranks, int count, muster_group **made);

#endif
