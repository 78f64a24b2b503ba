/* A job that hangs on purpose, for `muster inspect`: rank 3 does nothing, and in the end all wait for it.
 * With "few", of any size: three ranks go to a barrier, and the others do not. With "queue": rank 2 does
 * nothing, and the others wait for it in push, for an entry, and for a signal. With "messages": rank 2 does
 * nothing, and the others wait for messages. */
#include <muster/muster.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int wait_for_many(muster_group *world)
{
    printf("ready\n");
    fflush(stdout);
    if (muster_group_rank(world) >= 3)
        pause();
    return muster_barrier(world) != MUSTER_OK;
}

static int wait_for_reader(muster_group *world)
{
    int rank = muster_group_rank(world), entry = 0;
    muster_queue *queue;
    muster_share *share;
    size_t bytes;

    if (muster_queue_create(world, 0, 2, sizeof entry, &queue) != MUSTER_OK ||
        muster_share_create(world, 100, &share) != MUSTER_OK)
        return 1;
    printf("ready\n");
    fflush(stdout);
    if (rank == 2)
        pause();
    if (rank == 3)
        muster_wait_signal(share, 2, 7, 1, 0);
    for (; rank < 2; entry++) {
        muster_status status = rank == 0 ? muster_queue_push(queue, &entry, sizeof entry, 0)
                                         : muster_queue_pop(queue, &entry, sizeof entry, 0, &bytes);
        if (status != MUSTER_OK)
            return 1;
    }
    return 0;
}

static int wait_for_messages(muster_group *world)
{
    int rank = muster_group_rank(world), x[5];

    printf("ready\n");
    fflush(stdout);
    if (rank == 0)
        muster_recv(x, 5, MUSTER_INT32, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, NULL);
    if (rank == 1)
        muster_probe(2, 7, world, NULL);
    if (rank == 2)
        pause();
    muster_probe(MUSTER_ANY_SOURCE, 0, world, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    muster_group *world, *half;
    float x[100] = { 0 };

    if (muster_init(true, NULL, &world) != MUSTER_OK)
        return 1;
    if (argc > 1 && strcmp(argv[1], "messages") == 0)
        return wait_for_messages(world);
    if (argc > 1)
        return strcmp(argv[1], "queue") == 0 ? wait_for_reader(world) : wait_for_many(world);
    if (muster_group_size(world) != 4)
        return 1;
    int rank = muster_group_rank(world);
    for (int i = 0; i < 11; i++)
        muster_all_sum(x, x, 100, MUSTER_FLOAT32, world);
    if (muster_group_split(world, rank % 2, -1, &half) != MUSTER_OK ||
        muster_group_set_name(half, rank % 2 ? "odd\377" : "tp:0") != MUSTER_OK)
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
