/* A job of two ranks: messages with tags, and operations that are started, in a group that has a name. */
#include <stdio.h>

#include "muster/muster.h"

static bool ok(muster_status status)
{
    if (status != MUSTER_OK)
        fprintf(stderr, "talks: %s\n", muster_error_detail());
    return status == MUSTER_OK;
}

/* A message there, received with any tag, and one in each direction that is started, and a sum. */
static bool talk(muster_group *group)
{
    int rank = muster_group_rank(group), peer = 1 - rank;
    muster_message came = MUSTER_MESSAGE_INIT;
    muster_request requests[3];
    int mine = rank, theirs;
    float x[50] = { 0 };

    return ok(rank == 0 ? muster_send(x, 50, MUSTER_FLOAT32, peer, 7, group)
                        : muster_recv(x, 50, MUSTER_FLOAT32, peer, MUSTER_ANY_TAG, group, &came)) &&
           ok(muster_recv_start(&theirs, 1, MUSTER_INT32, peer, 9, group, NULL, &requests[0])) &&
           ok(muster_send_start(&mine, 1, MUSTER_INT32, peer, 9, group, &requests[1])) &&
           ok(muster_all_reduce_start(x, x, 50, MUSTER_FLOAT32, MUSTER_SUM, group, &requests[2])) &&
           ok(muster_wait_all(requests, 3, 0));
}

int main(void)
{
    muster_group *world, *group;

    if (!ok(muster_init(true, NULL, &world)) || !ok(muster_group_dup(world, &group)) ||
        !ok(muster_group_set_name(group, "pp:1")))
        return 1;
    for (int i = 0; i < 10; i++)
        if (!talk(group))
            return 1;
    return ok(muster_group_free(group)) && ok(muster_group_free(world)) ? 0 : 1;
}
