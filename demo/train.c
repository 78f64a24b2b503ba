/*
 * Trains a byte-level language model on text, data-parallel over all ranks:
 *
 *     muster run -n 4 -- train [--steps N] [--batch N] [--seed N] [--save FILE] [TEXT]
 *
 * Every rank holds the same weights. A step draws one global batch from the seed; rank r works on the
 * samples r, r + size, ...; the gradients, which lie in an arena buffer, are summed by all_sum in
 * buckets; every rank then takes the same Adam step. So the loss depends on the seed and the batch,
 * not on the number of ranks, but for the order in which floats are added.
 *
 * The last tenth of the text is held out; its loss is printed as it falls. At the end the weights are
 * saved ("MSTLM001", then the sizes as int32: context, width, hidden, values; then float32 in the
 * order of enum parameter) and the model writes a little text.
 */
#define _DEFAULT_SOURCE
#include <math.h>
#include <muster/muster.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "network.h"

enum { BUCKET = 32 * 1024, HELD_OUT_SAMPLES = 2048, SAMPLE_BYTES = 400 };

typedef struct trainer {
    muster_group *world;
    int rank, size;
    const unsigned char *text;
    size_t train_bytes, held_out_bytes; /* held out: behind the part to train on */
    network net; /* for this rank's samples; its gradients are in the arena: peers read them zero-copy */
    float *first_moment, *second_moment;
    int batch, steps;
    uint64_t seed;
} trainer;

static void check(muster_status status, const char *what)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "train: %s: %s\n", what, muster_error_detail());
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory) {
        fprintf(stderr, "train: out of memory\n");
        exit(1);
    }
    return memory;
}

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static float random_unit(uint64_t *state)
{
    return (float)(random_next(state) >> 40) / (float)(1 << 24);
}

/* ---- data-parallel training ---- */

/* Sums the loss and all gradients over the ranks, the gradients bucket by bucket, in place. */
static void sum_over_ranks(trainer *t, double *loss)
{
    check(muster_all_sum(loss, loss, 1, MUSTER_FLOAT64, t->world), "sum of the losses");
    for (size_t at = 0; at < NETWORK_PARAMETERS; at += BUCKET) {
        size_t count = NETWORK_PARAMETERS - at < BUCKET ? NETWORK_PARAMETERS - at : BUCKET;

        check(muster_all_sum(t->net.gradients + at, t->net.gradients + at, count, MUSTER_FLOAT32, t->world),
              "sum of the gradients");
    }
}

static void adam(trainer *t, int step)
{
    const float beta_1 = 0.9f, beta_2 = 0.99f;
    float warm_up = step < 50 ? (float)step / 50 : 1;
    float decay = 0.5f * (1 + cosf(3.14159265f * (float)step / (float)(t->steps + 1)));
    float rate = 0.003f * warm_up * (0.05f + 0.95f * decay);
    float correct_1 = 1 - powf(beta_1, (float)step), correct_2 = 1 - powf(beta_2, (float)step);

    for (size_t i = 0; i < NETWORK_PARAMETERS; i++) {
        float gradient = t->net.gradients[i] / (float)t->batch;

        t->first_moment[i] = beta_1 * t->first_moment[i] + (1 - beta_1) * gradient;
        t->second_moment[i] = beta_2 * t->second_moment[i] + (1 - beta_2) * gradient * gradient;
        t->net.weights[i] -=
            rate * (t->first_moment[i] / correct_1) / (sqrtf(t->second_moment[i] / correct_2) + 1e-8f);
    }
}

/* The mean loss of samples that all ranks draw alike from `state`; each works on its share. With
 * `learn` their gradients are left in t->net.gradients, summed over the ranks. */
static double run_batch(trainer *t, const unsigned char *text, size_t bytes, int count, uint64_t state,
                        bool learn)
{
    const unsigned char *samples[HELD_OUT_SAMPLES];
    double loss = 0;
    int rows = 0;

    for (int i = 0; i < count; i++) {
        const unsigned char *sample = text + random_next(&state) % (bytes - CONTEXT);

        if (i % t->size == t->rank)
            samples[rows++] = sample;
    }
    for (int i = 0; i < rows; i++)
        network_look_up(&t->net, samples[i], t->net.input + i * INPUT);
    network_forward(&t->net, rows);
    for (int i = 0; i < rows; i++)
        loss -= log((double)t->net.output[i * VALUES + samples[i][CONTEXT]] + 1e-30);
    if (learn) {
        memset(t->net.gradients, 0, NETWORK_PARAMETERS * sizeof(float));
        network_backward(&t->net, samples, rows);
        sum_over_ranks(t, &loss);
    } else {
        check(muster_all_sum(&loss, &loss, 1, MUSTER_FLOAT64, t->world), "sum of the losses");
    }
    return loss / count;
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void report(const trainer *t, int step, double train_loss, double held_out_loss, double began_s)
{
    double rate = step / (now_s() - began_s);

    if (t->rank == 0)
        printf("step %5d/%d   train %.4f   held out %.4f   %.1f steps/s   %.0f s left\n", step, t->steps,
               train_loss, held_out_loss, rate, (t->steps - step) / rate);
}

static void train(trainer *t)
{
    double began_s = now_s(), smoothed = 0;
    int every = t->steps / 10 > 0 ? t->steps / 10 : 1;

    for (int step = 1; step <= t->steps; step++) {
        double loss =
            run_batch(t, t->text, t->train_bytes, t->batch, t->seed * 1000003 + (uint64_t)step, true);

        adam(t, step);
        smoothed = step == 1 ? loss : 0.95 * smoothed + 0.05 * loss;
        if (step % every == 0 || step == t->steps)
            report(t, step, smoothed,
                   run_batch(t, t->text + t->train_bytes, t->held_out_bytes, HELD_OUT_SAMPLES, 42, false),
                   began_s);
    }
}

/* ---- what comes out ---- */

static void save(const trainer *t, const char *path)
{
    const int32_t sizes[] = { CONTEXT, WIDTH, HIDDEN, VALUES };
    char unfinished[4096];

    snprintf(unfinished, sizeof unfinished, "%s.unfinished", path);
    FILE *file = fopen(unfinished, "wb");
    bool written = file && fwrite("MSTLM001", 8, 1, file) == 1 && fwrite(sizes, sizeof sizes, 1, file) == 1 &&
                   fwrite(t->net.weights, sizeof(float), NETWORK_PARAMETERS, file) == NETWORK_PARAMETERS;
    if (file && fclose(file) != 0)
        written = false;
    if (!written || rename(unfinished, path) != 0) {
        fprintf(stderr, "train: the weights could not be saved to %s\n", path);
        exit(1);
    }
    printf("weights saved to %s (%zu parameters)\n", path, NETWORK_PARAMETERS);
}

/* Continues the held-out text, a byte at a time, a little less boldly than the model would. */
static void write_sample(trainer *t)
{
    unsigned char text[CONTEXT + SAMPLE_BYTES];
    uint64_t state = t->seed;

    memcpy(text, t->text + t->train_bytes, CONTEXT);
    for (int at = 0; at < SAMPLE_BYTES; at++) {
        float weights[VALUES], sum = 0;
        int value = 0;

        network_look_up(&t->net, text + at, t->net.input);
        network_forward(&t->net, 1);
        for (int j = 0; j < VALUES; j++)
            sum += weights[j] = powf(t->net.output[j], 1.0f / 0.6f);
        float drawn = random_unit(&state) * sum;
        while (value < VALUES - 1 && (drawn -= weights[value]) > 0)
            value++;
        text[CONTEXT + at] = (unsigned char)value;
    }
    printf("a sample:\n%.*s\n", CONTEXT + SAMPLE_BYTES, (const char *)text);
}

/* ---- setting up ---- */

static unsigned char *read_text(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    unsigned char *text = NULL;

    *bytes = 0;
    for (size_t got = 1; file && got > 0;) {
        text = realloc(text, *bytes + 65536);
        got = text ? fread(text + *bytes, 1, 65536, file) : 0;
        *bytes += got;
    }
    if (file)
        fclose(file);
    if (*bytes < 40 * CONTEXT) {
        fprintf(stderr, "train: %s cannot be read, or has less than %d bytes\n", path, 40 * CONTEXT);
        exit(1);
    }
    return text;
}

static void set_up(trainer *t)
{
    int rows = t->batch > HELD_OUT_SAMPLES ? t->batch : HELD_OUT_SAMPLES;
    size_t samples = (size_t)(rows / t->size) + 1;
    uint64_t state = t->seed;

    t->net.weights = allocate(NETWORK_PARAMETERS, sizeof(float));
    t->first_moment = allocate(NETWORK_PARAMETERS, sizeof(float));
    t->second_moment = allocate(NETWORK_PARAMETERS, sizeof(float));
    check(muster_alloc(t->world, NETWORK_PARAMETERS * sizeof(float), (void **)&t->net.gradients),
          "gradients");
    t->net.input = allocate(samples * INPUT, sizeof(float));
    t->net.hidden = allocate(samples * HIDDEN, sizeof(float));
    t->net.output = allocate(samples * VALUES, sizeof(float));
    t->net.d_hidden = allocate(samples * HIDDEN, sizeof(float));
    t->net.d_input = allocate(samples * INPUT, sizeof(float));
    for (size_t i = 0; i < NETWORK_PARAMETERS; i++) { /* the same on every rank */
        float spread = i < network_offset(WEIGHTS_1)   ? 0.5f
                       : i < network_offset(BIAS_1)    ? sqrtf(6.0f / INPUT)
                       : i < network_offset(WEIGHTS_2) ? 0
                       : i < network_offset(BIAS_2)    ? sqrtf(3.0f / HIDDEN)
                                                       : 0;
        t->net.weights[i] = spread * (2 * random_unit(&state) - 1);
    }
}

static void tear_down(trainer *t)
{
    free(t->net.weights);
    free(t->first_moment);
    free(t->second_moment);
    free(t->net.input);
    free(t->net.hidden);
    free(t->net.output);
    free(t->net.d_hidden);
    free(t->net.d_input);
    muster_group_free(t->world); /* with the gradients */
}

static int usage(void)
{
    fprintf(stderr, "usage: train [--steps N] [--batch N (1 to %d)] [--seed N] [--save FILE] [TEXT]\n",
            HELD_OUT_SAMPLES);
    return 2;
}

int main(int argc, char **argv)
{
    trainer t = { .steps = 6000, .batch = 64, .seed = 1 };
    const char *path = DEFAULT_TEXT, *save_to = "model.bin";
    size_t bytes;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
            t.steps = atoi(argv[++i]);
        else if (strcmp(argv[i], "--batch") == 0 && i + 1 < argc)
            t.batch = atoi(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            t.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--save") == 0 && i + 1 < argc)
            save_to = argv[++i];
        else if (argv[i][0] != '-')
            path = argv[i];
        else
            return usage();
    }
    if (t.steps < 1 || t.batch < 1 || t.batch > HELD_OUT_SAMPLES)
        return usage();
    setvbuf(stdout, NULL, _IOLBF, 0);
    check(muster_init(false, NULL, &t.world), "init");
    t.rank = muster_group_rank(t.world);
    t.size = muster_group_size(t.world);
    unsigned char *text = read_text(path, &bytes);
    t.text = text;
    t.held_out_bytes = bytes / 10;
    t.train_bytes = bytes - t.held_out_bytes;
    set_up(&t);
    if (t.rank == 0)
        printf("%zu parameters, %zu bytes of text, %d rank%s, batch %d\n", NETWORK_PARAMETERS, bytes, t.size,
               t.size == 1 ? "" : "s", t.batch);
    train(&t);
    if (t.rank == 0) {
        save(&t, save_to);
        write_sample(&t);
    }
    tear_down(&t);
    free(text);
    return 0;
}
