/* A rank that repeats one call, for test_instructions: `repeats barrier|all_sum|halo COUNT`. */
#include <muster/muster.h>
#include <stdlib.h>
#include <string.h>

#define NEIGHBOURS 8
#define BYTES 64

typedef muster_status (*call_fn)(muster_group *world);

static muster_status all_sum(muster_group *world)
{
    float in = 1, out = 0;

    muster_status status = muster_all_sum(&in, &out, 1, MUSTER_FLOAT32, world);
    return status == MUSTER_OK && out != 2 ? MUSTER_ERR_INVALID : status;
}

/* Messages with the other rank as with so many neighbours, in two parts, which are not static, so that
 * callgrind finds them. */
muster_status muster_halo_send(muster_group *world, muster_request requests[NEIGHBOURS]);
muster_status muster_halo_receive(muster_group *world, muster_request requests[2 * NEIGHBOURS]);

muster_status muster_halo_send(muster_group *world, muster_request requests[NEIGHBOURS])
{
    static char out[NEIGHBOURS][BYTES];
    muster_status status = MUSTER_OK;

    for (int i = 0; i < NEIGHBOURS && status == MUSTER_OK; i++)
        status = muster_send_start(out[i], BYTES, MUSTER_UINT8, 1 - muster_group_rank(world), i, world,
                                   &requests[i]);
    return status;
}

muster_status muster_halo_receive(muster_group *world, muster_request requests[2 * NEIGHBOURS])
{
    static char in[NEIGHBOURS][BYTES];
    muster_status status = MUSTER_OK;

    for (int i = 0; i < NEIGHBOURS && status == MUSTER_OK; i++)
        status = muster_recv_start(in[i], BYTES, MUSTER_UINT8, 1 - muster_group_rank(world), i, world, NULL,
                                   &requests[NEIGHBOURS + i]);
    return status == MUSTER_OK ? muster_wait_all(requests, 2 * NEIGHBOURS, 0) : status;
}

/* All messages are there when the first is received: how many are is else the other rank's. */
static muster_status halo(muster_group *world)
{
    muster_request requests[2 * NEIGHBOURS];

    muster_status status = muster_halo_send(world, requests);
    if (status == MUSTER_OK)
        status = muster_barrier(world);
    return status == MUSTER_OK ? muster_halo_receive(world, requests) : status;
}

int main(int argc, char **argv)
{
    const char *name = argc == 3 ? argv[1] : "";
    call_fn call = strcmp(name, "all_sum") == 0 ? all_sum : strcmp(name, "halo") == 0 ? halo : muster_barrier;
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    muster_status status = MUSTER_OK;
    muster_group *world;

    if (muster_init(true, NULL, &world) != MUSTER_OK)
        return 1;
    for (long i = 0; i < count && status == MUSTER_OK; i++)
        status = call(world);
    muster_group_free(world);
    return status != MUSTER_OK;
}
