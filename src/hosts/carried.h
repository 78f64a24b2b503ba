/*
 * A link that two groups of another backend carry, which the program does not see: of this machine, for
 * pretended hosts, or over frames (src/wire).
 */
#ifndef MST_HOSTS_CARRIED_H
#define MST_HOSTS_CARRIED_H

#include "src/hosts/link.h"

/* A link of all members of a group, which must live as long, or which the link owns. `blind`: as in link.h.
 */
muster_status mst_carried_link(muster_group *bytes, bool owns, bool blind, mst_link **made);

#endif
