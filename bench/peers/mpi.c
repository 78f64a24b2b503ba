/* Any MPI as a contender of bench/compare. With --version: what library it runs with. */
#include <mpi.h>
#include <stdio.h>
#include <string.h>

#include "loop.h"

static int rank, size;

static void barrier(const float *in, float *out, size_t count)
{
    (void)in, (void)out, (void)count;
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

static void broadcast(const float *in, float *out, size_t count)
{
    (void)in;
    MPI_Bcast(out, (int)count, MPI_FLOAT, 0, MPI_COMM_WORLD);
}

static void all_to_all(const float *in, float *out, size_t count)
{
    MPI_Alltoall(in, (int)count, MPI_FLOAT, out, (int)count, MPI_FLOAT, MPI_COMM_WORLD);
}

/* ---- with a count for each rank ---- */

static int counts[LOOP_RANKS_MAX], offsets[LOOP_RANKS_MAX];

static void set_counts(size_t count)
{
    for (int r = 0; r < size && counts[r] != (int)count; r++) {
        counts[r] = (int)count;
        offsets[r] = r * (int)count;
    }
}

static void all_gatherv(const float *in, float *out, size_t count)
{
    set_counts(count);
    MPI_Allgatherv(in, (int)count, MPI_FLOAT, out, counts, offsets, MPI_FLOAT, MPI_COMM_WORLD);
}

static void all_to_allv(const float *in, float *out, size_t count)
{
    set_counts(count);
    MPI_Alltoallv(in, counts, offsets, MPI_FLOAT, out, counts, offsets, MPI_FLOAT, MPI_COMM_WORLD);
}

/* ---- messages ---- */

static void send(float *buffer, size_t count, int other, int tag)
{
    MPI_Send(buffer, (int)count, MPI_FLOAT, other, tag, MPI_COMM_WORLD);
}

static void receive(float *buffer, size_t count, int other, int tag)
{
    MPI_Recv(buffer, (int)count, MPI_FLOAT, other, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static int receive_any(float *buffer, size_t count, int source, int *tag)
{
    MPI_Status came;

    MPI_Recv(buffer, (int)count, MPI_FLOAT, source == LOOP_ANY ? MPI_ANY_SOURCE : source, MPI_ANY_TAG,
             MPI_COMM_WORLD, &came);
    *tag = came.MPI_TAG;
    return came.MPI_SOURCE;
}

static void halo(const float *in, float *out, size_t count)
{
    MPI_Request requests[2 * LOOP_NEIGHBOURS];

    for (int i = 0; i < LOOP_NEIGHBOURS; i++)
        MPI_Irecv(out + (size_t)i * count, (int)count, MPI_FLOAT,
                  (rank + size - loop_neighbour(i, size)) % size, i, MPI_COMM_WORLD, &requests[i]);
    for (int i = 0; i < LOOP_NEIGHBOURS; i++)
        MPI_Isend(in, (int)count, MPI_FLOAT, (rank + loop_neighbour(i, size)) % size, i, MPI_COMM_WORLD,
                  &requests[LOOP_NEIGHBOURS + i]);
    MPI_Waitall(2 * LOOP_NEIGHBOURS, requests, MPI_STATUSES_IGNORE);
}

static void farm(const float *in, float *out, size_t count)
{
    MPI_Status came;

    for (int i = 1; rank == 0 && i < size; i++) {
        MPI_Recv(out, (int)count, MPI_FLOAT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &came);
        MPI_Send(in, (int)count, MPI_FLOAT, came.MPI_SOURCE, came.MPI_TAG, MPI_COMM_WORLD);
    }
    if (rank == 0)
        return;
    MPI_Send(in, (int)count, MPI_FLOAT, 0, rank, MPI_COMM_WORLD);
    MPI_Recv(out, (int)count, MPI_FLOAT, 0, rank, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static int print_version(void)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;

    if (MPI_Get_library_version(text, &length) != MPI_SUCCESS)
        return 1;
    puts(text);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return print_version(); /* MPI need not be initialised for that */
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const peer peer = { .rank = rank,
                        .size = size,
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
    int status = loop_main(&peer, argc, argv);
    MPI_Finalize();
    return status;
}
