/* Groups made from groups over several hosts. */
#ifndef MST_HOSTS_CHILDREN_H
#define MST_HOSTS_CHILDREN_H

#include "src/hosts/group.h"

muster_status mst_hosts_split(muster_group *group, int color, int key, muster_group **child);
muster_status mst_hosts_dup(muster_group *group, muster_group **copy);
muster_status mst_hosts_subset(muster_group *group, const int *ranks, int count, muster_group **subset);

#endif
