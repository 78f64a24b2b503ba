/* The other threads of a rank, for `muster bench --threads`: they help in all collectives of the group. */
#ifndef MUSTER_BENCH_THREADS_H
#define MUSTER_BENCH_THREADS_H

#include "muster/muster.h"

/* So many in all, this one among them. False: they could not be started; those that were end with the
 * process. */
bool bench_threads_start(muster_group *group, int threads);

/* Of all ranks: ends them, in a collective of the group. */
bool bench_threads_stop(muster_group *group);

#endif
