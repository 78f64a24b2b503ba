/* The operations of messages.h. */
#include "tools/muster/bench/messages.h"

muster_status bench_sendrecv(const bench_call *c)
{
    int rank = muster_group_rank(c->group), ranks = muster_group_size(c->group);

    return muster_sendrecv(c->in, c->count, (rank + 1) % ranks, 0, c->out, c->count,
                           (rank + ranks - 1) % ranks, 0, c->dtype, c->group, NULL);
}

static muster_status there_and_back(const bench_call *c, int tag)
{
    int rank = muster_group_rank(c->group);
    muster_status status = MUSTER_OK;

    if (rank == 0)
        status = muster_send(c->in, c->count, c->dtype, 1, tag, c->group);
    if (rank <= 1 && status == MUSTER_OK)
        status = muster_recv(c->out, c->count, c->dtype, 1 - rank, tag, c->group, NULL);
    if (rank == 1 && status == MUSTER_OK)
        status = muster_send(c->in, c->count, c->dtype, 0, tag, c->group);
    return status;
}

muster_status bench_ping_pong(const bench_call *c)
{
    return there_and_back(c, 0);
}

muster_status bench_tags(const bench_call *c)
{
    static int calls; /* each rank is a process */

    return there_and_back(c, ++calls & 0xffff);
}

/* With fewer ranks than that some of them are the same one, but none is this rank. */
int bench_halo_distance(int i, int ranks)
{
    return 1 + i % (ranks - 1);
}

muster_status bench_halo(const bench_call *c)
{
    int rank = muster_group_rank(c->group), ranks = muster_group_size(c->group);
    size_t bytes = c->count * muster_dtype_size(c->dtype);
    muster_request requests[2 * BENCH_HALO];
    muster_status status = MUSTER_OK;

    for (int i = 0; i < BENCH_HALO && status == MUSTER_OK; i++)
        status = muster_recv_start((char *)c->out + (size_t)i * bytes, c->count, c->dtype,
                                   (rank + ranks - bench_halo_distance(i, ranks)) % ranks, i, c->group, NULL,
                                   &requests[i]);
    for (int i = 0; i < BENCH_HALO && status == MUSTER_OK; i++)
        status = muster_send_start(c->in, c->count, c->dtype, (rank + bench_halo_distance(i, ranks)) % ranks,
                                   i, c->group, &requests[BENCH_HALO + i]);
    return status == MUSTER_OK ? muster_wait_all(requests, 2 * BENCH_HALO, 0) : status;
}

muster_status bench_farm(const bench_call *c)
{
    int rank = muster_group_rank(c->group), ranks = muster_group_size(c->group);
    muster_message came = MUSTER_MESSAGE_INIT;
    muster_status status = MUSTER_OK;

    for (int i = 1; rank == 0 && i < ranks && status == MUSTER_OK; i++) {
        status = muster_recv(c->out, c->count, c->dtype, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, c->group, &came);
        if (status == MUSTER_OK)
            status = muster_send(c->in, c->count, c->dtype, came.source, came.tag, c->group);
    }
    if (rank == 0)
        return status;
    status = muster_send(c->in, c->count, c->dtype, 0, rank, c->group);
    return status == MUSTER_OK ? muster_recv(c->out, c->count, c->dtype, 0, rank, c->group, NULL) : status;
}
