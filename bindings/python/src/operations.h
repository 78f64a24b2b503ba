/* The collectives with one count for all ranks, and barrier. */
#ifndef MUSTER_PYTHON_OPERATIONS_H
#define MUSTER_PYTHON_OPERATIONS_H

#include "bindings/python/src/function.h"

#define COLLECTIVE_FUNCTION(name)                                                                            \
    FAST_FUNCTION(name);                                                                                     \
    FAST_FUNCTION(name##_start)

COLLECTIVE_FUNCTION(all_sum);
COLLECTIVE_FUNCTION(all_max);
COLLECTIVE_FUNCTION(all_min);
COLLECTIVE_FUNCTION(all_reduce);
COLLECTIVE_FUNCTION(all_gather);
COLLECTIVE_FUNCTION(sum_scatter);
COLLECTIVE_FUNCTION(reduce_scatter);
COLLECTIVE_FUNCTION(all_to_all);
COLLECTIVE_FUNCTION(scan);
COLLECTIVE_FUNCTION(exscan);
COLLECTIVE_FUNCTION(broadcast);
COLLECTIVE_FUNCTION(reduce);
COLLECTIVE_FUNCTION(gather);
COLLECTIVE_FUNCTION(scatter);
SLOW_FUNCTION(barrier);
SLOW_FUNCTION(barrier_start);

#endif
