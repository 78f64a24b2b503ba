/* Of a job on several hosts, of which one is seen: which ranks are on which, and whether those of this one
 * wait for others. */
#ifndef MUSTER_LOOK_HOSTS_H
#define MUSTER_LOOK_HOSTS_H

#include "muster/muster.h"
#include "tools/muster/text.h"

/* Whether the rank is on this host, which its processes tell of. */
bool is_here(const muster_inspection *seen, int rank);

/* ", those of host b" where there are others; "" where all ranks are here. */
void name_host(const muster_inspection *seen, char *text, int bytes);

/* How many ranks are on this host. */
int count_here(const muster_inspection *seen);

/* "rank 3", "ranks 0 2 4-63": those that are marked. */
void say_ranks(sentence *sentence, const bool *listed);

/* ", for host b (rank 2) and host c (ranks 4 5); ...": those that the call waits for, and those that its
 * neighbours in the same call do; nothing where there are none. */
void say_awaited_hosts(sentence *sentence, const muster_inspection *seen, const muster_seen_call *call,
                       bool with_neighbours);

/* "rank 2 of world, on host b; ...", for whose message the call waits. */
void say_far_peer(sentence *sentence, const muster_inspection *seen, const muster_seen_call *call,
                  const char *group);

/* Members of the call's group may be on other hosts, of which nothing is seen here. */
bool is_spread(const muster_inspection *seen, const muster_seen_call *call);

/* The call waits for ranks of other hosts; another rank of this host does, in the same call: its neighbours
 * wait for it then, and for nobody else. */
bool awaits_others(const muster_seen_call *call);
bool host_awaits_others(const muster_inspection *seen, const muster_seen_call *call);

#endif
