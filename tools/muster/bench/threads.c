/*
 * Each thread calls muster_help again and again, so that it is in whatever collective comes next. It leaves
 * after a last one, a barrier, which all of them are in or find over.
 */
#include "tools/muster/bench/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct helper {
    pthread_t thread;
    muster_group *group;
    int number;
} helper;

static helper *helpers;
static int count;
static atomic_bool stopping;

static void *help_on(void *arg)
{
    const helper *self = arg;

    while (!atomic_load(&stopping) && muster_help(self->group, self->number) == MUSTER_OK)
        ;
    return NULL;
}

bool bench_threads_start(muster_group *group, int threads)
{
    if (threads == 1)
        return true;
    helpers = calloc((size_t)threads - 1, sizeof *helpers);
    if (!helpers || muster_group_set_threads(group, threads) != MUSTER_OK) {
        fprintf(stderr, "muster bench: %s\n", helpers ? muster_error_detail() : strerror(ENOMEM));
        return false;
    }
    for (; count < threads - 1; count++) {
        helper *next = &helpers[count];

        *next = (helper){ .group = group, .number = count + 1 };
        int error = pthread_create(&next->thread, NULL, help_on, next);
        if (error) {
            fprintf(stderr, "muster bench: thread %d of a rank could not be started: %s\n", next->number,
                    strerror(error));
            return false;
        }
    }
    return true;
}

bool bench_threads_stop(muster_group *group)
{
    if (!helpers)
        return true;
    atomic_store(&stopping, true);
    bool met = muster_barrier(group) == MUSTER_OK;
    for (int i = 0; i < count; i++)
        pthread_join(helpers[i].thread, NULL);
    free(helpers);
    helpers = NULL;
    count = 0;
    return met && muster_group_set_threads(group, 1) == MUSTER_OK;
}
