/*
 * What the rank's progress thread does for its groups over several hosts, if it has one: it advances their
 * collectives that no thread waits for, moves what the link moves, and tells the other hosts of a death that
 * it sees on this one.
 *
 * What another host does wakes nobody. So while something is under way the thread looks again and again, from
 * 10 us up to a millisecond apart. While nothing is, it sleeps until a call leaves something under way; every
 * call that may do so says so at its end.
 */
#ifndef MST_HOSTS_PROGRESS_H
#define MST_HOSTS_PROGRESS_H

#include "src/hosts/group.h"

/* The config wants a progress thread: from now on it does this for the world. */
muster_status mst_hosts_begin_progress(mst_hosts_world *world);

#endif
