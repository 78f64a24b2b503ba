/*
 * Communication beside computation: each rank computes its part of a sum in buckets, and starts the sum of a
 * bucket over all ranks while it computes the next one. The buckets are arena buffers, which are not copied.
 * This is how data-parallel training overlaps the exchange of gradients with the backward pass.
 */
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 8, BUCKET = 100000 };

static void check(muster_status status, const char *what)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "overlap: %s: %s\n", what, muster_error_detail());
    exit(1);
}

static void compute(float *bucket, int which, int rank)
{
    for (int i = 0; i < BUCKET; i++)
        bucket[i] = (float)(which + rank);
}

int main(void)
{
    muster_group *world;
    muster_request requests[BUCKETS];
    float *buckets;
    bool done;

    check(muster_init(false, NULL, &world), "init");
    int rank = muster_group_rank(world), size = muster_group_size(world);
    check(muster_alloc(world, sizeof(float) * BUCKETS * BUCKET, (void **)&buckets), "alloc");

    for (int b = 0; b < BUCKETS; b++) {
        float *bucket = buckets + b * BUCKET;

        compute(bucket, b, rank);
        check(
            muster_all_reduce_start(bucket, bucket, BUCKET, MUSTER_FLOAT32, MUSTER_SUM, world, &requests[b]),
            "start");
        if (b > 0 && requests[b - 1].group) /* lets the sums go on: any call of the group does */
            check(muster_test(&requests[b - 1], &done), "test");
    }
    check(muster_wait_all(requests, BUCKETS, 0), "wait");

    int expected = size * (BUCKETS - 1) + size * (size - 1) / 2;
    float last = buckets[BUCKETS * BUCKET - 1];
    if (rank == 0)
        printf("the last bucket's sum is %g\n", last);
    muster_free(world, buckets);
    muster_group_free(world);
    return last == (float)expected ? 0 : 1;
}
