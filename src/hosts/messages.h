/* Messages of groups over several hosts, which their carriers move. */
#ifndef MST_HOSTS_MESSAGES_H
#define MST_HOSTS_MESSAGES_H

#include "src/hosts/group.h"

muster_status mst_hosts_message(muster_group *group, const mst_message *message);
muster_status mst_hosts_start_message(muster_group *group, muster_call_class call_class,
                                      const mst_message *message, uint64_t *number);
muster_status mst_hosts_cancel(muster_group *group, uint64_t number, bool *over);
muster_status mst_hosts_probe(muster_group *group, int source, int tag, bool waits, bool *found,
                              muster_message *result);

#endif
