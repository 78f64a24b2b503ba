/* What calls of groups over several hosts leave under way, for a progress thread (progress.h), if there is
 * one. */
#ifndef MST_HOSTS_REST_H
#define MST_HOSTS_REST_H

#include "src/hosts/group.h"

/* There is something new under way. */
void mst_hosts_call_thread(mst_hosts_world *world);

/* A call of the group ends: what it has left under way in the link, the thread goes on with. */
void mst_hosts_leave_rest(mst_hosts_group *group);

#endif
