/*
 * A link between pretended hosts, for tests: all ranks are on this machine, and reach each other through
 * groups on shared memory that the program does not see.
 */
#ifndef MST_HOSTS_PRETENDED_H
#define MST_HOSTS_PRETENDED_H

#include "src/hosts/link.h"

/* A link of all members of a group of this machine, which must live as long. */
muster_status mst_pretended_link(muster_group *whole, mst_link **made);

/* MUSTER_FAKE_HOSTS: the host of a rank by what its value says, "3": so many hosts with consecutive ranks;
 * "0,1": hosts of the ranks 0, 1, 2 ..., again and again. False: it is neither. */
bool mst_pretended_host(const char *value, int rank, int size, int *host);

muster_status mst_pretended_refuse(const char *value);

#endif
