/* Threads of a rank, each with a body of its own: a body returns 0 when all is well, as that of a rank. */
#ifndef TEST_WORKERS_H
#define TEST_WORKERS_H

#include <pthread.h>

#include "tests/harness/ranks.h"

typedef struct worker {
    muster_group *group;
    void *shared; /* by the threads of the rank */
    int index;
    int (*work)(struct worker *self);
    int code;
    pthread_t thread;
} worker;

/* False: there is no further thread. */
bool worker_start(worker *worker);

/* Returns what the body has returned. */
int worker_join(worker *worker);

#endif
