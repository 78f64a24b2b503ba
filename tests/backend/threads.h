/*
 * A second backend, for what it proves: that src/backend.h is all that a backend needs to know of what is
 * above it, and all that is above needs to know of a backend. Ranks are threads of one process, which meet
 * under a name (muster_config's arena; none for a world of one) and reach each other by its memory.
 *
 * It is plain rather than fast. It promises what the header says of collectives, messages, split, buffers,
 * timeouts, interrupts, abort and leaving. Not deaths (its ranks die together), DEADLOCK (which is of
 * processes of one thread), shrink and grow (UNSUPPORTED), nor what is told to those who look from outside.
 */
#ifndef TEST_THREADS_H
#define TEST_THREADS_H

#include "src/backend.h"

extern const mst_backend backend_of_threads;

/* Whether that member is in a call of the group that waits. */
bool thread_is_waiting(const muster_group *group, int rank);

#endif
