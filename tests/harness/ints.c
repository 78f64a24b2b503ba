/* The messages of ints.h. */
#include "tests/harness/ints.h"

#include "tests/harness/ranks.h"

int send_int(muster_group *world, int value, int dst, int tag)
{
    RANK_OK(world, muster_send(&value, 1, MUSTER_INT32, dst, tag, world));
    return 0;
}

int expect_int(muster_group *world, int value, int src, int tag)
{
    int got = -1;

    RANK_OK(world, muster_recv(&got, 1, MUSTER_INT32, src, tag, world, NULL));
    RANK_CHECK(world, got == value);
    return 0;
}
