/*
 * A pipeline: batches go through twelve layers, which the ranks share, as in pipeline-parallel inference.
 * While a rank computes a batch, the next one is received and the one before is sent: two buffers for each.
 *     muster run -n 4 -- pipeline
 *
 * A message's tag is the number of its batch, and the muster_message says how many numbers it has.
 */
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAYERS = 12, BATCHES = 100, NUMBERS = 5000 }; /* of a batch, at most */

typedef struct stage {
    muster_group *world;
    int from, to;   /* ranks; MUSTER_RANK_NONE at the ends */
    int first, end; /* its layers */
    uint32_t in[2][NUMBERS], out[2][NUMBERS];
    muster_message came[2];
    muster_request receives[2], sends[2];
    uint64_t sum; /* of all that has left the last stage */
} stage;

static void check(muster_status status)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "pipeline: %s\n", muster_error_detail());
    exit(1);
}

static stage *begin(muster_group *world)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    stage *made = calloc(1, sizeof *made);

    if (!made)
        abort();
    made->world = world;
    made->from = rank > 0 ? rank - 1 : MUSTER_RANK_NONE;
    made->to = rank + 1 < size ? rank + 1 : MUSTER_RANK_NONE;
    made->first = LAYERS * rank / size;
    made->end = LAYERS * (rank + 1) / size;
    return made;
}

/* From no rank nothing comes, at once. */
static void receive(stage *stage, int batch)
{
    int at = batch % 2;

    stage->came[at] = (muster_message)MUSTER_MESSAGE_INIT;
    if (batch < BATCHES)
        check(muster_recv_start(stage->in[at], NUMBERS, MUSTER_UINT32, stage->from, batch, stage->world,
                                &stage->came[at], &stage->receives[at]));
}

/* What has come; the first stage makes it. */
static size_t take(stage *stage, int batch)
{
    int at = batch % 2;

    check(muster_wait(&stage->receives[at], 0));
    if (stage->from != MUSTER_RANK_NONE)
        return stage->came[at].count;
    size_t count = NUMBERS - (size_t)(batch * 37) % NUMBERS;
    for (size_t i = 0; i < count; i++)
        stage->in[at][i] = (uint32_t)batch * 1000 + (uint32_t)i;
    return count;
}

static void compute(stage *stage, int batch, size_t count)
{
    const uint32_t *in = stage->in[batch % 2];
    uint32_t *out = stage->out[batch % 2];

    for (size_t i = 0; i < count; i++) {
        out[i] = in[i];
        for (int layer = stage->first; layer < stage->end; layer++)
            out[i] = out[i] * 1664525 + (uint32_t)layer;
        if (stage->to == MUSTER_RANK_NONE)
            stage->sum += out[i];
    }
}

int main(void)
{
    muster_group *world;

    check(muster_init(false, NULL, &world));
    stage *stage = begin(world);
    receive(stage, 0);
    for (int batch = 0; batch < BATCHES; batch++) {
        receive(stage, batch + 1);
        size_t count = take(stage, batch);
        if (batch >= 2)
            check(muster_wait(&stage->sends[batch % 2], 0));
        compute(stage, batch, count);
        check(muster_send_start(stage->out[batch % 2], count, MUSTER_UINT32, stage->to, batch, world,
                                &stage->sends[batch % 2]));
    }
    check(muster_wait_all(stage->sends, 2, 0));
    if (stage->to == MUSTER_RANK_NONE)
        printf("%d batches through %d layers, sum %llu\n", BATCHES, LAYERS, (unsigned long long)stage->sum);
    free(stage);
    muster_group_free(world);
    return 0;
}
