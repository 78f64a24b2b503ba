/* Loading, cutting and applying of model.h. */
#include "model.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXED_ONE 262144.0F /* 2^18: logits up to 8191 */

/* ---- the file ---- */

typedef struct opening {
    char magic[8];
    int32_t sizes[4]; /* context, width, hidden, values */
} opening;

static bool within(int value, int most)
{
    return value >= 1 && value <= most;
}

static bool take(model *model, const void *bytes, size_t length)
{
    opening opening;

    if (length < sizeof opening)
        return false;
    memcpy(&opening, bytes, sizeof opening);
    model->context = opening.sizes[0];
    model->width = opening.sizes[1];
    model->hidden = opening.sizes[2];
    model->values = opening.sizes[3];
    if (memcmp(opening.magic, "MSTLM001", 8) != 0 || !within(model->context, MODEL_CONTEXT_MAX) ||
        !within(model->width, 4096) || !within(model->hidden, 65536) || model->values != 256)
        return false;
    size_t values = (size_t)model->values, hidden = (size_t)model->hidden, width = (size_t)model->width;
    size_t input = (size_t)model->context * width;

    model->embedding = (const float *)(const void *)((const char *)bytes + sizeof opening);
    model->weights_1 = model->embedding + values * width;
    model->bias_1 = model->weights_1 + input * hidden;
    model->weights_2 = model->bias_1 + hidden;
    model->bias_2 = model->weights_2 + hidden * values;
    return (const char *)(model->bias_2 + values) == (const char *)bytes + length;
}

bool model_open(model *model, const char *path, char *why, int bytes)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || fstat(file, &status) < 0 || status.st_size == 0) {
        snprintf(why, (size_t)bytes, "%s cannot be read; `muster run -n 2 -- train --save %s` makes one",
                 path, path);
        if (file >= 0)
            close(file);
        return false;
    }
    void *mapped = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (mapped != MAP_FAILED && take(model, mapped, (size_t)status.st_size))
        return true;
    snprintf(why, (size_t)bytes, "%s is no model of demo/train, or a part of one", path);
    return false;
}

/* ---- parts ---- */

bool shard_cut(shard *shard, const model *model, int rank, int size)
{
    size_t hidden = (size_t)model->hidden, values = (size_t)model->values;
    size_t input = (size_t)model->context * (size_t)model->width;
    size_t from = hidden * (size_t)rank / (size_t)size, to = hidden * (size_t)(rank + 1) / (size_t)size;
    size_t part = to - from;

    *shard = (struct shard){ .from = (int)from, .to = (int)to };
    shard->weights_1 = malloc((input * part + 1) * sizeof(float)); /* + 1: more ranks than units */
    shard->bias_1 = malloc((part + 1) * sizeof(float));
    shard->weights_2 = malloc((part * values + 1) * sizeof(float));
    shard->hidden = malloc((part + 1) * sizeof(float));
    if (!shard->weights_1 || !shard->bias_1 || !shard->weights_2 || !shard->hidden) {
        shard_free(shard);
        return false;
    }
    for (size_t row = 0; row < input; row++)
        memcpy(shard->weights_1 + row * part, model->weights_1 + row * hidden + from, part * sizeof(float));
    memcpy(shard->bias_1, model->bias_1 + from, part * sizeof(float));
    memcpy(shard->weights_2, model->weights_2 + from * values, part * values * sizeof(float));
    return true;
}

void shard_free(shard *shard)
{
    free(shard->weights_1);
    free(shard->bias_1);
    free(shard->weights_2);
    free(shard->hidden);
    *shard = (struct shard){ 0 };
}

/* Each unit by itself, inputs in order: the same bits in whatever part it is. */
static void apply_first(const shard *shard, const model *model, const unsigned char *context)
{
    int part = shard->to - shard->from, width = model->width;
    float *restrict hidden = shard->hidden;

    memcpy(hidden, shard->bias_1, (size_t)part * sizeof(float));
    for (int i = 0; i < model->context; i++)
        for (int k = 0; k < width; k++) {
            float x = model->embedding[context[i] * width + k];
            const float *restrict weights = shard->weights_1 + (size_t)(i * width + k) * (size_t)part;

            for (int h = 0; h < part; h++)
                hidden[h] += x * weights[h];
        }
}

static void apply_second(const shard *shard, const model *model, int32_t *restrict sums)
{
    for (int h = 0; h < shard->to - shard->from; h++) {
        const float *restrict weights = shard->weights_2 + (size_t)h * (size_t)model->values;
        float scaled = shard->hidden[h] * FIXED_ONE;

        if (scaled <= 0) /* relu */
            continue;
        for (int j = 0; j < model->values; j++)
            sums[j] += (int32_t)(scaled * weights[j]);
    }
}

void shard_apply(const shard *shard, const model *model, const unsigned char *contexts, int rows,
                 int32_t *sums)
{
    memset(sums, 0, (size_t)(rows * model->values) * sizeof *sums);
    for (int row = 0; row < rows; row++) {
        apply_first(shard, model, contexts + row * model->context);
        apply_second(shard, model, sums + row * model->values);
    }
}

/* ---- drawing ---- */

static float random_unit(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return (float)((z ^ (z >> 31)) >> 40) / (float)(1 << 24);
}

static int likeliest(const float *logits, int values)
{
    int best = 0;

    for (int j = 1; j < values; j++)
        best = logits[j] > logits[best] ? j : best;
    return best;
}

typedef struct candidate {
    float weight;
    int value;
} candidate;

static int heavier_first(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return x->value - y->value;
}

/* Clears the weights of all that may not be drawn. */
static void keep_likeliest(float *weights, int values, const sampling *sampling)
{
    candidate candidates[MODEL_VALUES_MAX];
    int kept = sampling->top_k > 0 && sampling->top_k < values ? sampling->top_k : values;
    float all = 0, together = 0;

    for (int j = 0; j < values; j++)
        candidates[j] = (candidate){ weights[j], j };
    qsort(candidates, (size_t)values, sizeof *candidates, heavier_first);
    for (int i = 0; i < kept; i++)
        all += candidates[i].weight;
    for (int i = 0; i < kept && together < sampling->top_p * all; i++)
        together += candidates[i].weight, candidates[i].value = -1; /* stays */
    for (int i = 0; i < values; i++)
        if (candidates[i].value >= 0)
            weights[candidates[i].value] = 0;
}

int model_draw(const model *model, const int32_t *sums, const sampling *sampling, uint64_t *state)
{
    float weights[MODEL_VALUES_MAX] = { 0 }, all = 0;
    int values = model->values, value = 0, last = 0;

    for (int j = 0; j < values; j++)
        weights[j] = (float)sums[j] / FIXED_ONE + model->bias_2[j];
    int best = likeliest(weights, values);
    if (sampling->temperature == 0)
        return best;
    float highest = weights[best];
    for (int j = 0; j < values; j++)
        weights[j] = expf((weights[j] - highest) / sampling->temperature);
    if (sampling->top_k > 0 || sampling->top_p < 1)
        keep_likeliest(weights, values, sampling);
    for (int j = 0; j < values; j++) {
        all += weights[j];
        last = weights[j] > 0 ? j : last;
    }
    float drawn = random_unit(state) * all;
    while (value < last && (drawn -= weights[value]) > 0)
        value++;
    while (weights[value] == 0) /* the sum rounds: never one that may not be drawn */
        value++;
    return value;
}
