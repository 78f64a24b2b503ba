/* A rank that repeats one call, for test_instructions: `repeats barrier|all_sum|halo|posted COUNT`. */
#include <muster/muster.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NEIGHBOURS 8
#define BYTES 64
#define PART __attribute__((noinline))

typedef muster_status (*call_fn)(muster_group *world);

static muster_status all_sum(muster_group *world)
{
    float in = 1, out = 0;

    muster_status status = muster_all_sum(&in, &out, 1, MUSTER_FLOAT32, world);
    return status == MUSTER_OK && out != 2 ? MUSTER_ERR_INVALID : status;
}

/* ---- messages with the other rank as with so many neighbours ---- */

/* The parts of a halo, and of one whose receives are posted first, are not static, so that callgrind finds
 * them. */
PART muster_status muster_halo_send(muster_group *world, muster_request requests[NEIGHBOURS]);
PART muster_status muster_halo_receive(muster_group *world, muster_request requests[2 * NEIGHBOURS]);
PART muster_status muster_posted_receive(muster_group *world, muster_request requests[2 * NEIGHBOURS]);
PART muster_status muster_posted_send(muster_group *world, muster_request requests[NEIGHBOURS]);
PART muster_status muster_posted_wait(muster_request requests[2 * NEIGHBOURS]);

static muster_status start_sends(muster_group *world, muster_request requests[NEIGHBOURS])
{
    static char out[NEIGHBOURS][BYTES];
    muster_status status = MUSTER_OK;

    for (int i = 0; i < NEIGHBOURS && status == MUSTER_OK; i++)
        status = muster_send_start(out[i], BYTES, MUSTER_UINT8, 1 - muster_group_rank(world), i, world,
                                   &requests[i]);
    return status;
}

static muster_status start_receives(muster_group *world, muster_request requests[2 * NEIGHBOURS])
{
    static char in[NEIGHBOURS][BYTES];
    muster_status status = MUSTER_OK;

    for (int i = 0; i < NEIGHBOURS && status == MUSTER_OK; i++)
        status = muster_recv_start(in[i], BYTES, MUSTER_UINT8, 1 - muster_group_rank(world), i, world, NULL,
                                   &requests[NEIGHBOURS + i]);
    return status;
}

muster_status muster_halo_send(muster_group *world, muster_request requests[NEIGHBOURS])
{
    return start_sends(world, requests);
}

muster_status muster_halo_receive(muster_group *world, muster_request requests[2 * NEIGHBOURS])
{
    muster_status status = start_receives(world, requests);

    return status == MUSTER_OK ? muster_posted_wait(requests) : status;
}

muster_status muster_posted_receive(muster_group *world, muster_request requests[2 * NEIGHBOURS])
{
    return start_receives(world, requests);
}

muster_status muster_posted_send(muster_group *world, muster_request requests[NEIGHBOURS])
{
    return start_sends(world, requests);
}

muster_status muster_posted_wait(muster_request requests[2 * NEIGHBOURS])
{
    return muster_wait_all(requests, 2 * NEIGHBOURS, 0);
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

/* Meets the other rank without a call, in which started messages would be moved. */
static muster_status meet(muster_group *world)
{
    static _Atomic unsigned *met; /* how often ranks have come here */
    static unsigned meetings;
    muster_share *share;
    void *at;

    if (!met) {
        muster_status status = muster_share_create(world, 64, &share); /* until the program ends */
        if (status == MUSTER_OK)
            status = muster_share_at(share, 0, &at, NULL);
        if (status != MUSTER_OK)
            return status;
        met = at;
    }
    meetings++;
    atomic_fetch_add(met, 1);
    while (atomic_load(met) < 2 * meetings)
        sched_yield();
    return MUSTER_OK;
}

/* No message is there when its receive is started, and all are when they are waited for. */
static muster_status posted(muster_group *world)
{
    muster_request requests[2 * NEIGHBOURS];

    muster_status status = muster_posted_receive(world, requests);
    if (status == MUSTER_OK)
        status = meet(world);
    if (status == MUSTER_OK)
        status = muster_posted_send(world, requests);
    if (status == MUSTER_OK)
        status = meet(world);
    return status == MUSTER_OK ? muster_posted_wait(requests) : status;
}

static call_fn find(const char *name)
{
    static const struct {
        const char *name;
        call_fn call;
    } calls[] = {
        { "barrier", muster_barrier }, { "all_sum", all_sum }, { "halo", halo }, { "posted", posted }
    };

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(name, calls[i].name) == 0)
            return calls[i].call;
    return NULL;
}

int main(int argc, char **argv)
{
    call_fn call = find(argc == 3 ? argv[1] : "");
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    muster_status status = MUSTER_OK;
    muster_group *world;

    if (!call || muster_init(true, NULL, &world) != MUSTER_OK)
        return 1;
    for (long i = 0; i < count && status == MUSTER_OK; i++)
        status = call(world);
    muster_group_free(world);
    return status != MUSTER_OK;
}
