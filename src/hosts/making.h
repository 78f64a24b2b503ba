/* A group over several hosts that is being made, and what its members tell each other meanwhile. */
#ifndef MST_HOSTS_MAKING_H
#define MST_HOSTS_MAKING_H

#include "src/hosts/group.h"

/* What a member tells: at first what it gives, then what became of it. */
typedef struct mst_told {
    int32_t copies; /* dup, in place of split */
    int32_t color, key;
    int32_t status;
} mst_told;

/* A group that is being made. */
typedef struct mst_making {
    mst_hosts_group *parent;
    const char *doing;
    const int *ranks; /* its members, in the parent */
    int count;
    bool spans; /* more than one host */
    muster_group *local;
    mst_link *link;
} mst_making;

/* All members of the link get what each of them tells, by way of the first. The ranks of the link are those
 * of the parent, or those in the list. */
muster_status mst_tell_all(const mst_making *making, mst_link *link, mst_told *all);

#endif
