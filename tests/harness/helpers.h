/* Threads of a rank that help in all collectives of a group until they are stopped. */
#ifndef TEST_HELPERS_H
#define TEST_HELPERS_H

#include "tests/harness/workers.h"

enum { HELPERS_MAX = 4 };

typedef struct helpers {
    muster_group *group; /* NULL: there are none */
    int threads;
    _Atomic int stopping;
    worker workers[HELPERS_MAX];
} helpers;

/* Thread 0 is the caller. What is large begins at `job_bytes` then, in parts of `part_bytes` and more; 0: as
 * the library has it. 1: it has failed, and that has been said. */
int helpers_start(helpers *helpers, muster_group *group, int threads, size_t job_bytes, size_t part_bytes);

/* A collective: a barrier that they are told of. 1: one of them had another status than MUSTER_OK. */
int helpers_stop(helpers *helpers);

#endif
