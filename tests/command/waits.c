/* A job that hangs on purpose, for `muster inspect`: rank 3 does nothing, and in the end all wait for it.
 * With an argument, of any size: three ranks go to a barrier, and the others do not. */
#include <muster/muster.h>
#include <stdio.h>
#include <unistd.h>

static int wait_for_many(muster_group *world)
{
    printf("ready\n");
    fflush(stdout);
    if (muster_group_rank(world) >= 3)
        pause();
    return muster_barrier(world) != MUSTER_OK;
}

int main(int argc, char **argv)
{
    muster_group *world, *half;
    float x[100] = { 0 };

    (void)argv;
    if (muster_init(true, NULL, &world) != MUSTER_OK)
        return 1;
    if (argc > 1)
        return wait_for_many(world);
    if (muster_group_size(world) != 4)
        return 1;
    int rank = muster_group_rank(world);
    for (int i = 0; i < 11; i++)
        muster_all_sum(x, x, 100, MUSTER_FLOAT32, world);
    if (muster_group_split(world, rank % 2, -1, &half) != MUSTER_OK)
        return 1;
    printf("ready\n");
    fflush(stdout);
    if (rank == 3)
        pause();
    if (rank == 2)
        muster_recv(x, 5, MUSTER_FLOAT32, 3, 0, world, NULL);
    muster_all_sum(x, x, 100, MUSTER_FLOAT32, rank == 0 ? half : world);
    return 0;
}
