/*
 * A round in which every kind of request is in flight at once: for tests that kill ranks meanwhile.
 *
 * Each rank starts sends and receives, from one source and from any, of one tag and of any, one receive that
 * it takes back, and collectives; probes and receives in between; and completes what it has started by wait,
 * test, wait_any and wait_all, in an order of its own.
 */
#ifndef TEST_IN_FLIGHT_H
#define TEST_IN_FLIGHT_H

#include "muster/muster.h"

/*
 * All ranks of the group call it with the same seed. Returns the status of the first call that failed, whose
 * sentence is the thread's last error; BAD_ARENA, told on stderr, when a result is wrong, when a request of
 * the broken group is left pending, or when the group tells another story afterwards. Leaves nothing pending.
 */
muster_status use_requests(muster_group *group, uint64_t seed);

#endif
