/*
 * The language model that demo/train saves, cut for several ranks: each has some of the hidden units,
 * their columns of the first matrix and their rows of the second, so that a forward pass needs one sum over
 * the ranks.
 *
 * That sum is in fixed point: what a hidden unit adds to a logit is rounded to 1 / 2^18 before it is added,
 * and whole numbers have the same sum in any order. So the text does not depend on how many ranks there are.
 */
#ifndef SERVER_MODEL_H
#define SERVER_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_CONTEXT_MAX = 64, MODEL_VALUES_MAX = 1024 };

typedef struct model {
    int context, width, hidden, values;
    const float *embedding, *weights_1, *bias_1, *weights_2, *bias_2; /* in the file, mapped */
} model;

/* Maps the file; false: `why` says what is wrong with it. */
bool model_open(model *model, const char *path, char *why, int bytes);

/* The hidden units from..to-1, copied so that they lie together. */
typedef struct shard {
    int from, to;
    float *weights_1, *bias_1, *weights_2;
    float *hidden; /* of one sample */
} shard;

/* The part of `rank` of `size`; false: no memory. */
bool shard_cut(shard *shard, const model *model, int rank, int size);
void shard_free(shard *shard);

/* What the shard adds to the logits of the byte after each of `rows` contexts; sums is rows x values. */
void shard_apply(const shard *shard, const model *model, const unsigned char *contexts, int rows,
                 int32_t *sums);

/* How a byte is drawn from the logits: of the top_k likeliest, and of these the fewest that have top_p of the
 * probability together. Temperature 0: the likeliest, always. */
typedef struct sampling {
    float temperature;
    int top_k;   /* 0: all */
    float top_p; /* 1: all */
} sampling;

/* The next byte, drawn by `state`, from one row of the whole sum. */
int model_draw(const model *model, const int32_t *sums, const sampling *sampling, uint64_t *state);

#endif
