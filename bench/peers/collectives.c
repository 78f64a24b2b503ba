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

static void barrier(void)
{
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

static void broadcast(float *buffer, size_t count)
{
    must(muster_broadcast(buffer, buffer, count, MUSTER_FLOAT32, 0, world));
}

static void ping_pong(float *buffer, size_t count)
{
    int rank = muster_group_rank(world);

    if (rank == 0)
        must(muster_send(buffer, count, MUSTER_FLOAT32, 1, 0, world));
    if (rank <= 1)
        must(muster_recv(buffer, count, MUSTER_FLOAT32, 1 - rank, 0, world, NULL));
    if (rank == 1)
        must(muster_send(buffer, count, MUSTER_FLOAT32, 0, 0, world));
}

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
                  .barrier = barrier,
                  .max = max,
                  .all_reduce = all_reduce,
                  .all_gather = all_gather,
                  .reduce_scatter = reduce_scatter,
                  .broadcast = broadcast,
                  .ping_pong = ping_pong };

    if (getenv("BENCH_ARENA")) {
        peer.allocate = allocate;
        peer.release = release;
    }
    int status = loop_main(&peer, argc, argv);
    must(muster_group_free(world));
    return status;
}
