/*
 * A scheduler and its workers: rank 0 pushes what to do into a queue, and the others pop and do it. A worker
 * that dies is dropped, and the rest goes on with the next step.
 */
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct step {
    int number;
    char what[50];
} step;

enum { STEPS = 5 };

static void check(muster_status status, const char *what)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "steps: %s: %s\n", what, muster_error_detail());
    exit(1);
}

static void tell(muster_queue *steps, const step *next)
{
    muster_status status = muster_queue_push(steps, next, sizeof *next, 0);

    if (status == MUSTER_ERR_PEER_DIED) {
        int workers;

        fprintf(stderr, "steps: %s\n", muster_error_detail());
        check(muster_queue_drop(steps, &workers), "drop");
        fprintf(stderr, "steps: goes on with %d workers\n", workers);
        status = muster_queue_push(steps, next, sizeof *next, 0);
    }
    check(status, "push");
}

static void schedule(muster_queue *steps)
{
    step next = { 0 };

    for (next.number = 1; next.number <= STEPS; next.number++) {
        snprintf(next.what, sizeof next.what, "step %d", next.number);
        tell(steps, &next);
    }
    strcpy(next.what, "stop");
    tell(steps, &next);
}

static void work(muster_queue *steps, int rank)
{
    step now;
    size_t bytes;
    int done = 0;

    for (;;) {
        check(muster_queue_pop(steps, &now, sizeof now, 0, &bytes), "pop");
        if (strcmp(now.what, "stop") == 0)
            break;
        done += now.number;
    }
    printf("worker %d: the steps add up to %d\n", rank, done);
}

int main(void)
{
    muster_group *world;
    muster_queue *steps;

    check(muster_init(false, NULL, &world), "init");
    check(muster_queue_create(world, 0, 16, sizeof(step), &steps), "create the queue");
    if (muster_group_rank(world) == 0)
        schedule(steps);
    else
        work(steps, muster_group_rank(world));
    muster_queue_free(steps);
    muster_group_free(world);
    return 0;
}
