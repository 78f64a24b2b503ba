/*
 * A table that is in memory once per machine: rank 0 fills it, all ranks read it. In place of the sines here,
 * an engine reads its weights from a file. A rank that wrote to the table after it is sealed would be killed.
 */
#include <math.h>
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUES = 1 << 20 };

static void check(muster_status status, const char *what)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "weights: %s: %s\n", what, muster_error_detail());
    exit(1);
}

int main(void)
{
    muster_group *world;
    muster_share *share;
    void *block;

    check(muster_init(false, NULL, &world), "init");
    int rank = muster_group_rank(world), size = muster_group_size(world);
    check(muster_share_create(world, rank == 0 ? VALUES * sizeof(double) : 0, &share), "create the share");
    check(muster_share_at(share, 0, &block, NULL), "find the table");
    double *table = block;
    for (int i = 0; rank == 0 && i < VALUES; i++)
        table[i] = sin(i);
    check(muster_share_seal(share), "make it read-only");

    double sum = 0; /* each rank adds up its part */
    for (int i = rank; i < VALUES; i += size)
        sum += table[i] * table[i];
    check(muster_all_sum(&sum, &sum, 1, MUSTER_FLOAT64, world), "sum");
    printf("rank %d: the squares add up to %.3f\n", rank, sum);
    muster_share_free(share);
    muster_group_free(world);
    return 0;
}
