/* A world over several hosts whose ranks attach in another way than by an arena's name: a launcher's. */
#ifndef MST_HOSTS_H
#define MST_HOSTS_H

#include "src/backend.h"

/* Attaches to the group of all ranks of this machine. */
typedef muster_status (*mst_hosts_attach_whole)(const muster_config *config, void *arg, muster_group **whole);

muster_status mst_hosts_attach_by(const muster_config *config, mst_hosts_attach_whole attach, void *arg,
                                  muster_group **world);

#endif
