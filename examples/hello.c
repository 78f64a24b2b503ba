/* The smallest muster program: every rank says who it is, and all add up their ranks. */
#include <muster/muster.h>
#include <stdio.h>

int main(void)
{
    muster_group *world;

    if (muster_init(false, NULL, &world) != MUSTER_OK) {
        fprintf(stderr, "hello: %s\n", muster_error_detail());
        return 1;
    }
    float sum = (float)muster_group_rank(world);
    if (muster_all_sum(&sum, &sum, 1, MUSTER_FLOAT32, world) != MUSTER_OK) {
        fprintf(stderr, "hello: %s\n", muster_error_detail());
        return 1;
    }
    printf("rank %d of %d: the ranks add up to %g\n", muster_group_rank(world), muster_group_size(world),
           sum);
    muster_group_free(world);
    return 0;
}
