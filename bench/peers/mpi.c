/* Any MPI as a contender of bench/compare: Open MPI and MPICH. */
#include <mpi.h>

#include "loop.h"

static int rank, size;

static void barrier(void)
{
    MPI_Barrier(MPI_COMM_WORLD);
}

static double max(double value)
{
    double all;

    MPI_Allreduce(&value, &all, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return all;
}

static void all_reduce(const float *in, float *out, size_t count)
{
    MPI_Allreduce(in, out, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

static void all_gather(const float *in, float *out, size_t count)
{
    MPI_Allgather(in, (int)count, MPI_FLOAT, out, (int)count, MPI_FLOAT, MPI_COMM_WORLD);
}

static void reduce_scatter(const float *in, float *out, size_t count)
{
    MPI_Reduce_scatter_block(in, out, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

static void broadcast(float *buffer, size_t count)
{
    MPI_Bcast(buffer, (int)count, MPI_FLOAT, 0, MPI_COMM_WORLD);
}

static void ping_pong(float *buffer, size_t count)
{
    if (rank == 0)
        MPI_Send(buffer, (int)count, MPI_FLOAT, 1, 0, MPI_COMM_WORLD);
    if (rank <= 1)
        MPI_Recv(buffer, (int)count, MPI_FLOAT, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (rank == 1)
        MPI_Send(buffer, (int)count, MPI_FLOAT, 0, 0, MPI_COMM_WORLD);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const peer peer = { .rank = rank,
                        .size = size,
                        .barrier = barrier,
                        .max = max,
                        .all_reduce = all_reduce,
                        .all_gather = all_gather,
                        .reduce_scatter = reduce_scatter,
                        .broadcast = broadcast,
                        .ping_pong = ping_pong };
    int status = loop_main(&peer, argc, argv);
    MPI_Finalize();
    return status;
}
