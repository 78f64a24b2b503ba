/* A group over several hosts that is being made, and what its members tell each other meanwhile. */
#ifndef MST_HOSTS_MAKING_H
#define MST_HOSTS_MAKING_H

#include "src/hosts/group.h"

/* A group that is being made. */
typedef struct mst_making {
    mst_hosts_group *parent;
    const char *doing;
    const int *ranks; /* its members, in the parent */
    int count;
    bool spans; /* more than one host */
    muster_group *local;
    mst_link *link;
    mst_hosts_group *made; /* of `local`, and of `link` if it spans: it owns them then */
} mst_making;

/* All members of the link get what each of them tells, by way of the first. The ranks of the link are those
 * of the parent, or those in the list. */
muster_status mst_tell_all(const mst_making *making, mst_link *link, mst_told *all);

/* That member of the parent could not make its part, so that nobody has the group. */
muster_status mst_refuse_part(int rank, muster_status status);

#endif
