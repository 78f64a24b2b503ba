/*
 * Frames between threads, for tests: with TEST_BACKEND=wire, ranks are as with TEST_BACKEND=hosts, but what
 * goes from one host to another goes over frames (src/wire), as under an MPI.
 */
#ifndef TEST_FRAMES_H
#define TEST_FRAMES_H

#include "src/backend.h"
#include "src/wire/wire.h"

/* That of src/hosts over frames between threads. */
extern const mst_backend backend_over_frames;

/* The thread's rank has freed its world: waits until all have. */
void frames_end(void);

/* Whether that member is in a call of the link's group that waits; of another rank, while that one waits for
 * this. */
bool frames_is_waiting(const muster_group *carrier, int rank);

#endif
