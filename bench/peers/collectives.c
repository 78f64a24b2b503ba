/* muster as a contender of bench/compare. BENCH_ARENA=1: buffers in the arena. */
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop.h"

static muster_group *world;

static void must(muster_status status)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "muster: %s\n", muster_error_detail());
    exit(1);
}

static void barrier(const float *in, float *out, size_t count)
{
    (void)in, (void)out, (void)count;
    must(muster_barrier(world));
}

static double max(double value)
{
    must(muster_all_max(&value, &value, 1, MUSTER_FLOAT64, world));
    return value;
}

static void all_reduce(const float *in, float *out, size_t count)
{
    must(muster_all_sum(in, out, count, MUSTER_FLOAT32, world));
}

static void all_gather(const float *in, float *out, size_t count)
{
    must(muster_all_gather(in, out, count, MUSTER_FLOAT32, world));
}

static void reduce_scatter(const float *in, float *out, size_t count)
{
    must(muster_sum_scatter(in, out, count, MUSTER_FLOAT32, world));
}

static void broadcast(const float *in, float *out, size_t count)
{
    (void)in;
    must(muster_broadcast(out, out, count, MUSTER_FLOAT32, 0, world));
}

static void all_to_all(const float *in, float *out, size_t count)
{
    must(muster_all_to_all(in, out, count, MUSTER_FLOAT32, world));
}

/* ---- with a count for each rank ---- */

static const size_t *counts_of(size_t count)
{
    static size_t counts[LOOP_RANKS_MAX];
    int size = muster_group_size(world);

    for (int r = 0; r < size && counts[r] != count; r++)
        counts[r] = count;
    return counts;
}

static void all_gatherv(const float *in, float *out, size_t count)
{
    must(muster_all_gatherv(in, count, out, counts_of(count), NULL, MUSTER_FLOAT32, world));
}

static void all_to_allv(const float *in, float *out, size_t count)
{
    const size_t *counts = counts_of(count);

    must(muster_all_to_allv(in, counts, NULL, out, counts, NULL, MUSTER_FLOAT32, world));
}

/* ---- messages ---- */

static void send(float *buffer, size_t count, int other, int tag)
{
    must(muster_send(buffer, count, MUSTER_FLOAT32, other, tag, world));
}

static void receive(float *buffer, size_t count, int other, int tag)
{
    must(muster_recv(buffer, count, MUSTER_FLOAT32, other, tag, world, NULL));
}

static int receive_any(float *buffer, size_t count, int source, int *tag)
{
    muster_message came = MUSTER_MESSAGE_INIT;

    must(muster_recv(buffer, count, MUSTER_FLOAT32, source == LOOP_ANY ? MUSTER_ANY_SOURCE : source,
                     MUSTER_ANY_TAG, world, &came));
    *tag = came.tag;
    return came.source;
}

static void halo(const float *in, float *out, size_t count)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    muster_request requests[2 * LOOP_NEIGHBOURS];

    for (int i = 0; i < LOOP_NEIGHBOURS; i++)
        must(muster_recv_start(out + (size_t)i * count, count, MUSTER_FLOAT32,
                               (rank + size - loop_neighbour(i, size)) % size, i, world, NULL, &requests[i]));
    for (int i = 0; i < LOOP_NEIGHBOURS; i++)
        must(muster_send_start(in, count, MUSTER_FLOAT32, (rank + loop_neighbour(i, size)) % size, i, world,
                               &requests[LOOP_NEIGHBOURS + i]));
    must(muster_wait_all(requests, 2 * LOOP_NEIGHBOURS, 0));
}

static void farm(const float *in, float *out, size_t count)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    muster_message came = MUSTER_MESSAGE_INIT;

    for (int i = 1; rank == 0 && i < size; i++) {
        must(muster_recv(out, count, MUSTER_FLOAT32, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, &came));
        must(muster_send(in, count, MUSTER_FLOAT32, came.source, came.tag, world));
    }
    if (rank == 0)
        return;
    must(muster_send(in, count, MUSTER_FLOAT32, 0, rank, world));
    must(muster_recv(out, count, MUSTER_FLOAT32, 0, rank, world, NULL));
}

/* ---- arena buffers ---- */

static float *allocate(size_t bytes)
{
    void *memory;

    must(muster_alloc(world, bytes, &memory));
    return memory;
}

static void release(float *buffer)
{
    must(muster_free(world, buffer));
}

int main(int argc, char **argv)
{
    must(muster_init(true, NULL, &world));
    peer peer = { .rank = muster_group_rank(world),
                  .size = muster_group_size(world),
                  .max = max,
                  .send = send,
                  .receive = receive,
                  .receive_any = receive_any,
                  .tags = true,
                  .call = { [LOOP_BARRIER] = barrier,
                            [LOOP_ALL_REDUCE] = all_reduce,
                            [LOOP_ALL_GATHER] = all_gather,
                            [LOOP_ALL_GATHERV] = all_gatherv,
                            [LOOP_REDUCE_SCATTER] = reduce_scatter,
                            [LOOP_BROADCAST] = broadcast,
                            [LOOP_ALL_TO_ALL] = all_to_all,
                            [LOOP_ALL_TO_ALLV] = all_to_allv,
                            [LOOP_HALO] = halo,
                            [LOOP_FARM] = farm } };

    if (getenv("BENCH_ARENA")) {
        peer.allocate = allocate;
        peer.release = release;
    }
    int status = loop_main(&peer, argc, argv);
    must(muster_group_free(world));
    return status;
}
