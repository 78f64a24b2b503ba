/*
 * How blocks travel between all members of a group over several hosts. Each appends actions to a run, which
 * end with a fence.
 */
#ifndef MST_HOSTS_PATTERNS_H
#define MST_HOSTS_PATTERNS_H

#include "src/hosts/actions.h"

/* Each rank's range, which is in place there, comes to all. A block crosses each link between two hosts once:
 * it comes to one rank of each host, whose neighbours get it from there. Which one it is depends on its own
 * place, so all ranks of a host take part alike. */
muster_status mst_pattern_gather(mst_run *run, const mst_ranges *ranges);

/* Each rank has one range for each other one in `in`, and gets one from each in `out`. Nothing is done for
 * what a rank has for itself. */
muster_status mst_pattern_exchange(mst_run *run, const mst_ranges *out, const mst_ranges *in);

/* The bytes of the root come to all: from it to one rank of each host, whose neighbours get it from there. */
muster_status mst_pattern_broadcast(mst_run *run, int root, void *data, size_t bytes);

#endif
