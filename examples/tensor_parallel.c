/*
 * A tensor-parallel block of a language model, as an inference server runs it for each token: the first
 * matrix is cut by columns, the second by rows, each rank has its part, and one all_sum per block puts the
 * parts together.
 *
 *     muster run -n 4 -- tensor_parallel
 *
 * The activations are arena buffers: the other ranks read them zero-copy.
 */
#include <math.h>
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 256, HIDDEN = 1024, TOKENS = 200 };

/* The same on every rank: a server would load its part of a file. */
static float weight(int matrix, int row, int column)
{
    unsigned hash = (unsigned)matrix * 73856093U ^ (unsigned)row * 19349663U ^ (unsigned)column * 83492791U;

    return ((float)(hash >> 8 & 0xffff) / 65535 - 0.5F) / 8;
}

/* out = relu(x up) down, of the hidden columns from..to alone. */
static void apply_part(const float *x, int from, int to, float *out)
{
    for (int i = 0; i < WIDTH; i++)
        out[i] = 0;
    for (int h = from; h < to; h++) {
        float hidden = 0;

        for (int i = 0; i < WIDTH; i++)
            hidden += x[i] * weight(1, i, h);
        if (hidden <= 0)
            continue;
        for (int i = 0; i < WIDTH; i++)
            out[i] += hidden * weight(2, h, i);
    }
}

/* One block: everyone's part, and the sum of all parts in its place. */
static muster_status run_block(const float *x, float *activations, muster_group *group)
{
    int rank = muster_group_rank(group), size = muster_group_size(group);

    apply_part(x, HIDDEN * rank / size, HIDDEN * (rank + 1) / size, activations);
    return muster_all_sum(activations, activations, WIDTH, MUSTER_FLOAT32, group);
}

static float largest_difference(const float *a, const float *b)
{
    float largest = 0;

    for (int i = 0; i < WIDTH; i++)
        largest = fmaxf(largest, fabsf(a[i] - b[i]));
    return largest;
}

int main(void)
{
    static float x[WIDTH], alone[WIDTH];
    muster_group *world;
    void *buffer;

    muster_status status = muster_init(false, NULL, &world);
    if (status == MUSTER_OK)
        status = muster_alloc(world, WIDTH * sizeof(float), &buffer);
    for (int token = 0; token < TOKENS && status == MUSTER_OK; token++) {
        for (int i = 0; i < WIDTH; i++)
            x[i] = weight(token + 3, i, 0);
        status = run_block(x, buffer, world);
    }
    if (status != MUSTER_OK) {
        fprintf(stderr, "tensor_parallel: %s\n", muster_error_detail());
        return 1;
    }
    apply_part(x, 0, HIDDEN, alone);
    float difference = largest_difference(buffer, alone);
    if (muster_group_rank(world) == 0)
        printf("%d tokens on %d rank%s: within %.0e of one rank\n", TOKENS, muster_group_size(world),
               muster_group_size(world) == 1 ? "" : "s", (double)difference);
    muster_free(world, buffer);
    muster_group_free(world);
    return difference < 1e-4F ? 0 : 1;
}
