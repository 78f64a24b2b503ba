/*
 * A server that loses ranks and gets them back: all add up numbers, step after step; when a rank is killed
 * the launcher starts it again, the others take it in, tell it where they are, and go on, as many as before.
 *
 *     muster run -n 4 --on-failure respawn -- serve
 *
 * Rank r (but for rank 0) kills itself at step 1000 x r, once. From outside: kill -9 any of them.
 */
#define _POSIX_C_SOURCE 200809L
#include <muster/muster.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define STEPS 5000

/* All are to go on where the slowest is; who is new knows of no step. */
static muster_status agree_on_step(muster_group *group, int32_t *step)
{
    int32_t own = *step < 0 ? STEPS : *step;

    return muster_all_min(&own, step, 1, MUSTER_INT32, group);
}

/* The group with the lost rank's replacement takes the old one's place; again, if another dies meanwhile. */
static muster_status replace_the_lost(muster_group **group, int32_t *step)
{
    muster_group *grown;
    muster_status status;

    do {
        printf("step %d: %s\n", *step, muster_error_detail());
        status = muster_group_grow(*group, &grown);
        if (status != MUSTER_OK)
            return status;
        muster_group_free(*group);
        *group = grown;
        status = agree_on_step(grown, step);
    } while (status == MUSTER_ERR_PEER_DIED);
    printf("step %d: rank %d of %d\n", *step, muster_group_rank(*group), muster_group_size(*group));
    fflush(stdout);
    return status;
}

int main(void)
{
    const char *restarts = getenv("MUSTER_RESTARTS");
    bool first_life = !restarts || atoi(restarts) == 0;
    muster_group *group;
    int32_t step = first_life ? 0 : -1;

    /* In a later life, this is when the others take us in. */
    muster_status status = muster_init(true, NULL, &group);
    if (status == MUSTER_OK && !first_life)
        status = agree_on_step(group, &step);
    while (status == MUSTER_ERR_PEER_DIED || (status == MUSTER_OK && step < STEPS)) {
        int32_t ranks = 1;

        if (status == MUSTER_ERR_PEER_DIED) {
            status = replace_the_lost(&group, &step);
            continue;
        }
        if (first_life && step > 0 && step == 1000 * muster_group_rank(group))
            raise(SIGKILL);
        status = muster_all_sum(&ranks, &ranks, 1, MUSTER_INT32, group);
        if (status == MUSTER_OK)
            step++;
    }
    if (status != MUSTER_OK) {
        fprintf(stderr, "serve: %s\n", muster_error_detail());
        return 1;
    }
    int left = muster_group_size(group);
    printf("done after %d steps, %d rank%s\n", step, left, left == 1 ? "" : "s");
    muster_group_free(group);
    return 0;
}
