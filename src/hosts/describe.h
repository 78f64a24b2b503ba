/* Ranks, and what has happened on a host, in words for all members. */
#ifndef MST_HOSTS_DESCRIBE_H
#define MST_HOSTS_DESCRIBE_H

#include "src/hosts/group.h"

/* "rank 3 on host b", or, where that is not known, "rank 3". */
#define MST_LINK_NAME_BYTES 96
void mst_link_name(mst_link *link, int rank, char *text);

/* Writes the sentence of a reason, which is an error of the local group in a call; `sentence`: the local
 * group's, whose ranks have other numbers. */
void mst_hosts_describe(const mst_hosts_group *group, mst_link_reason *reason, const char *doing,
                        const char *sentence);

#endif
