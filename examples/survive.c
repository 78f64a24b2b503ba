/*
 * A server's loop that outlives its ranks: all add up numbers, step after step; some rank is killed now
 * and then, the others make a new group of those who are left and go on where they were.
 *
 *     muster run -n 4 --on-failure continue -- survive
 *
 * Rank r (but for rank 0) kills itself at step 1000 x r. From outside: kill -9 any of them.
 */
#define _POSIX_C_SOURCE 200809L
#include <muster/muster.h>
#include <signal.h>
#include <stdio.h>

#define STEPS 5000

/* The new group takes the old one's place. */
static muster_status go_on_with_the_rest(muster_group **group, int step)
{
    muster_group *rest;

    printf("step %d: %s\n", step, muster_error_detail());
    muster_status status = muster_group_shrink(*group, &rest);
    if (status != MUSTER_OK)
        return status;
    printf("step %d: going on as rank %d of %d\n", step, muster_group_rank(rest), muster_group_size(rest));
    fflush(stdout);
    muster_group_free(*group);
    *group = rest;
    return MUSTER_OK;
}

int main(void)
{
    muster_group *world, *group;
    muster_status status = muster_init(true, NULL, &world);

    if (status == MUSTER_OK)
        status = muster_group_split(world, 0, -1, &group);
    if (status != MUSTER_OK) {
        fprintf(stderr, "survive: %s\n", muster_error_detail());
        return 1;
    }
    int rank = muster_group_rank(world), step = 0;
    while (step < STEPS && status == MUSTER_OK) {
        int32_t ranks = 1, slowest = step;

        if (rank > 0 && step == 1000 * rank)
            raise(SIGKILL);
        status = muster_all_sum(&ranks, &ranks, 1, MUSTER_INT32, group);
        /* A step may have succeeded on some ranks and failed on others: all repeat the earliest one. */
        while (status == MUSTER_ERR_PEER_DIED) {
            status = go_on_with_the_rest(&group, step);
            if (status == MUSTER_OK)
                status = muster_all_min(&slowest, &slowest, 1, MUSTER_INT32, group);
            if (status == MUSTER_OK)
                step = slowest - 1;
        }
        step++;
    }
    if (status != MUSTER_OK) {
        fprintf(stderr, "survive: %s\n", muster_error_detail());
        return 1;
    }
    printf("done after %d steps, %d left\n", step, muster_group_size(group));
    muster_group_free(group);
    muster_group_free(world);
    return 0;
}
