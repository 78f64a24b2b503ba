/* A job of three of which rank 0 dies inside a call, and the others go on: `survives shrink` without it,
 * `survives grow` with its replacement. Then all run code of their own, until they are ended. With "hangs"
 * after that, the last rank does not come to the next barrier; with "absent", the replacement does not come.
 */
#include <muster/muster.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_replacement(void)
{
    const char *restarts = getenv("MUSTER_RESTARTS");

    return restarts && atoi(restarts) > 0;
}

static void end(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    (void)acc, (void)next, (void)count, (void)dtype, (void)arg;
    if (atoi(getenv("MUSTER_RANK")) == 0)
        raise(SIGKILL);
}

/* Rank 0 is killed while it reduces. */
static bool lose_one(muster_group *world, bool grows, muster_group **group)
{
    int32_t x = 1;
    muster_op op;

    if (muster_op_create("end", end, NULL, true, &op) != MUSTER_OK)
        return false;
    muster_reduce(&x, &x, 1, MUSTER_INT32, op, 0, world);
    muster_barrier(world);
    muster_status status = grows ? muster_group_grow(world, group) : muster_group_shrink(world, group);
    muster_group_free(world);
    return status == MUSTER_OK;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 2 ? argv[2] : "";
    muster_group *world, *group;

    if (is_replacement() && strcmp(mode, "absent") == 0)
        pause();
    if (argc < 2 || muster_init(true, NULL, &world) != MUSTER_OK)
        return 1;
    if (is_replacement())
        group = world;
    else if (!lose_one(world, strcmp(argv[1], "grow") == 0, &group))
        return 1;
    if (muster_barrier(group) != MUSTER_OK)
        return 1;
    printf("goes on\n");
    fflush(stdout);
    if (strcmp(mode, "hangs") == 0 && muster_group_rank(group) < muster_group_size(group) - 1)
        muster_barrier(group);
    pause();
    return 0;
}
