/*
 * Trains a byte-level language model on text, data-parallel over all ranks:
 *
 *     muster run -n 4 -- train [--steps N] [--batch N] [--seed N] [--save FILE] [TEXT]
 *
 * The model reads CONTEXT bytes: an embedding of each, two dense layers, a softmax over the next byte.
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

enum { CONTEXT = 16, WIDTH = 16, INPUT = CONTEXT * WIDTH, HIDDEN = 256, VALUES = 256 };
enum { BUCKET = 32 * 1024, HELD_OUT_SAMPLES = 2048, SAMPLE_BYTES = 400 };

/* ---- parameters: one array, so that gradients travel in buckets whatever they belong to ---- */

enum parameter { EMBEDDING, WEIGHTS_1, BIAS_1, WEIGHTS_2, BIAS_2, PARAMETERS };

static const size_t parameter_sizes[PARAMETERS] = { VALUES * WIDTH, INPUT *HIDDEN, HIDDEN, HIDDEN *VALUES,
                                                    VALUES };

static size_t offset_of(enum parameter which)
{
    size_t offset = 0;

    for (int i = 0; i < (int)which; i++)
        offset += parameter_sizes[i];
    return offset;
}

#define PARAMETER_COUNT offset_of(PARAMETERS)

typedef struct trainer {
    muster_group *world;
    int rank, size;
    const unsigned char *text;
    size_t train_bytes, held_out_bytes; /* held out: behind the part to train on */
    float *weights, *first_moment, *second_moment;
    float *gradients;               /* in the arena: peers read it where it lies */
    float *input, *hidden, *output; /* of this rank's samples */
    float *d_hidden, *d_input;
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

/* ---- the model ---- */

/* out[i] += a[i] * b for rows i: (rows x inner) times (inner x columns) */
static void multiply(float *out, const float *a, const float *b, int rows, int inner, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < inner; k++) {
            float factor = a[i * inner + k];

            for (int j = 0; j < columns; j++)
                out[i * columns + j] += factor * b[k * columns + j];
        }
}

/* out += transposed(a) * b */
static void multiply_transposed(float *out, const float *a, const float *b, int rows, int inner, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < inner; k++) {
            float factor = a[i * inner + k];

            for (int j = 0; j < columns; j++)
                out[k * columns + j] += factor * b[i * columns + j];
        }
}

/* out = b * transposed(a); eight partial sums, so that the compiler can use vectors */
static void multiply_by_transposed(float *out, const float *b, const float *a, int rows, int inner,
                                   int columns)
{
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < inner; k++) {
            float sums[8] = { 0 };

            for (int j = 0; j < columns; j += 8)
                for (int s = 0; s < 8; s++)
                    sums[s] += b[i * columns + j + s] * a[k * columns + j + s];
            out[i * inner + k] =
                ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
        }
}

static void look_up(const trainer *t, const unsigned char *context, float *input)
{
    const float *embedding = t->weights + offset_of(EMBEDDING);

    for (int i = 0; i < CONTEXT; i++)
        memcpy(input + i * WIDTH, embedding + context[i] * WIDTH, WIDTH * sizeof(float));
}

/* t->input to t->hidden and t->output (probabilities), for `rows` samples. */
static void forward(trainer *t, int rows)
{
    const float *bias_1 = t->weights + offset_of(BIAS_1), *bias_2 = t->weights + offset_of(BIAS_2);

    for (int i = 0; i < rows; i++) {
        memcpy(t->hidden + i * HIDDEN, bias_1, HIDDEN * sizeof(float));
        memcpy(t->output + i * VALUES, bias_2, VALUES * sizeof(float));
    }
    multiply(t->hidden, t->input, t->weights + offset_of(WEIGHTS_1), rows, INPUT, HIDDEN);
    for (int i = 0; i < rows * HIDDEN; i++)
        t->hidden[i] = t->hidden[i] > 0 ? t->hidden[i] : 0;
    multiply(t->output, t->hidden, t->weights + offset_of(WEIGHTS_2), rows, HIDDEN, VALUES);
    for (int i = 0; i < rows; i++) {
        float *row = t->output + i * VALUES, highest = row[0], sum = 0;

        for (int j = 1; j < VALUES; j++)
            highest = row[j] > highest ? row[j] : highest;
        for (int j = 0; j < VALUES; j++)
            sum += row[j] = expf(row[j] - highest);
        for (int j = 0; j < VALUES; j++)
            row[j] /= sum;
    }
}

/* From probabilities and targets to gradients, all of `rows` samples added up. */
static void backward(trainer *t, const unsigned char *const *samples, int rows)
{
    float *gradients = t->gradients, *bias_1 = gradients + offset_of(BIAS_1);
    float *bias_2 = gradients + offset_of(BIAS_2), *embedding = gradients + offset_of(EMBEDDING);

    for (int i = 0; i < rows; i++) {
        t->output[i * VALUES + samples[i][CONTEXT]] -= 1;
        for (int j = 0; j < VALUES; j++)
            bias_2[j] += t->output[i * VALUES + j];
    }
    multiply_transposed(gradients + offset_of(WEIGHTS_2), t->hidden, t->output, rows, HIDDEN, VALUES);
    multiply_by_transposed(t->d_hidden, t->output, t->weights + offset_of(WEIGHTS_2), rows, HIDDEN, VALUES);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < HIDDEN; j++) {
            if (t->hidden[i * HIDDEN + j] <= 0)
                t->d_hidden[i * HIDDEN + j] = 0;
            bias_1[j] += t->d_hidden[i * HIDDEN + j];
        }
    multiply_transposed(gradients + offset_of(WEIGHTS_1), t->input, t->d_hidden, rows, INPUT, HIDDEN);
    multiply_by_transposed(t->d_input, t->d_hidden, t->weights + offset_of(WEIGHTS_1), rows, INPUT, HIDDEN);
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < CONTEXT; c++)
            for (int j = 0; j < WIDTH; j++)
                embedding[samples[i][c] * WIDTH + j] += t->d_input[i * INPUT + c * WIDTH + j];
}

/* ---- data-parallel training ---- */

/* Sums the loss and all gradients over the ranks, the gradients bucket by bucket where they lie. */
static void sum_over_ranks(trainer *t, double *loss)
{
    check(muster_all_sum(loss, loss, 1, MUSTER_FLOAT64, t->world), "sum of the losses");
    for (size_t at = 0; at < PARAMETER_COUNT; at += BUCKET) {
        size_t count = PARAMETER_COUNT - at < BUCKET ? PARAMETER_COUNT - at : BUCKET;

        check(muster_all_sum(t->gradients + at, t->gradients + at, count, MUSTER_FLOAT32, t->world),
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

    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        float gradient = t->gradients[i] / (float)t->batch;

        t->first_moment[i] = beta_1 * t->first_moment[i] + (1 - beta_1) * gradient;
        t->second_moment[i] = beta_2 * t->second_moment[i] + (1 - beta_2) * gradient * gradient;
        t->weights[i] -=
            rate * (t->first_moment[i] / correct_1) / (sqrtf(t->second_moment[i] / correct_2) + 1e-8f);
    }
}

/* The mean loss of samples that all ranks draw alike from `state`; each works on its share. With
 * `learn` their gradients are left in t->gradients, summed over the ranks. */
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
        look_up(t, samples[i], t->input + i * INPUT);
    forward(t, rows);
    for (int i = 0; i < rows; i++)
        loss -= log((double)t->output[i * VALUES + samples[i][CONTEXT]] + 1e-30);
    if (learn) {
        memset(t->gradients, 0, PARAMETER_COUNT * sizeof(float));
        backward(t, samples, rows);
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
                   fwrite(t->weights, sizeof(float), PARAMETER_COUNT, file) == PARAMETER_COUNT;
    if (file && fclose(file) != 0)
        written = false;
    if (!written || rename(unfinished, path) != 0) {
        fprintf(stderr, "train: the weights could not be saved to %s\n", path);
        exit(1);
    }
    printf("weights saved to %s (%zu parameters)\n", path, PARAMETER_COUNT);
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

        look_up(t, text + at, t->input);
        forward(t, 1);
        for (int j = 0; j < VALUES; j++)
            sum += weights[j] = powf(t->output[j], 1.0f / 0.6f);
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

    t->weights = allocate(PARAMETER_COUNT, sizeof(float));
    t->first_moment = allocate(PARAMETER_COUNT, sizeof(float));
    t->second_moment = allocate(PARAMETER_COUNT, sizeof(float));
    check(muster_alloc(t->world, PARAMETER_COUNT * sizeof(float), (void **)&t->gradients), "gradients");
    t->input = allocate(samples * INPUT, sizeof(float));
    t->hidden = allocate(samples * HIDDEN, sizeof(float));
    t->output = allocate(samples * VALUES, sizeof(float));
    t->d_hidden = allocate(samples * HIDDEN, sizeof(float));
    t->d_input = allocate(samples * INPUT, sizeof(float));
    for (size_t i = 0; i < PARAMETER_COUNT; i++) { /* the same on every rank */
        float spread = i < offset_of(WEIGHTS_1)   ? 0.5f
                       : i < offset_of(BIAS_1)    ? sqrtf(6.0f / INPUT)
                       : i < offset_of(WEIGHTS_2) ? 0
                       : i < offset_of(BIAS_2)    ? sqrtf(3.0f / HIDDEN)
                                                  : 0;
        t->weights[i] = spread * (2 * random_unit(&state) - 1);
    }
}

static void tear_down(trainer *t)
{
    free(t->weights);
    free(t->first_moment);
    free(t->second_moment);
    free(t->input);
    free(t->hidden);
    free(t->output);
    free(t->d_hidden);
    free(t->d_input);
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
        printf("%zu parameters, %zu bytes of text, %d rank%s, batch %d\n", PARAMETER_COUNT, bytes, t.size,
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
