/* The loop of loop.h. */
#define _POSIX_C_SOURCE 200809L
#include "loop.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_NS 20000
#define BATCHES_MIN 9
#define BATCHES_MAX 4000
#define WARM_UP_NS 3e6

typedef struct task {
    const peer *peer;
    const char *collective;
    float *in, *out;
    size_t count; /* of the vector, or per rank */
    size_t in_count, out_count;
} task;

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void run(const task *t)
{
    const peer *p = t->peer;

    if (strcmp(t->collective, "all_reduce") == 0)
        p->all_reduce(t->in, t->out, t->count);
    else if (strcmp(t->collective, "all_gather") == 0)
        p->all_gather(t->in, t->out, t->count);
    else if (strcmp(t->collective, "reduce_scatter") == 0)
        p->reduce_scatter(t->in, t->out, t->count);
    else if (strcmp(t->collective, "broadcast") == 0)
        p->broadcast(t->out, t->count);
    else if (strcmp(t->collective, "ping_pong") == 0)
        p->ping_pong(t->out, t->count);
    else
        p->barrier();
}

static bool offered(const peer *p, const char *collective)
{
    return strcmp(collective, "all_reduce") == 0       ? p->all_reduce != NULL
           : strcmp(collective, "all_gather") == 0     ? p->all_gather != NULL
           : strcmp(collective, "reduce_scatter") == 0 ? p->reduce_scatter != NULL
           : strcmp(collective, "broadcast") == 0      ? p->broadcast != NULL
           : strcmp(collective, "ping_pong") == 0      ? p->ping_pong != NULL
                                                       : strcmp(collective, "barrier") == 0;
}

/* Small integers, so that any order of adding gives the same float. */
static float value_at(int rank, size_t i)
{
    return (float)((i + 3 * (size_t)rank) % 11);
}

static float sum_at(int size, size_t i)
{
    float sum = 0;

    for (int r = 0; r < size; r++)
        sum += value_at(r, i);
    return sum;
}

static float expected_at(const task *t, size_t i)
{
    const peer *p = t->peer;

    if (strcmp(t->collective, "all_reduce") == 0)
        return sum_at(p->size, i);
    if (strcmp(t->collective, "all_gather") == 0)
        return value_at((int)(i / t->count), i % t->count);
    if (strcmp(t->collective, "reduce_scatter") == 0)
        return sum_at(p->size, (size_t)p->rank * t->count + i);
    return value_at(0, i);
}

static long check(task *t)
{
    const peer *p = t->peer;
    bool in_out = strcmp(t->collective, "broadcast") == 0 || strcmp(t->collective, "ping_pong") == 0;
    long wrong = 0;

    for (size_t i = 0; i < t->in_count; i++)
        t->in[i] = value_at(p->rank, i);
    for (size_t i = 0; i < t->out_count; i++)
        t->out[i] = in_out && p->rank == 0 ? value_at(0, i) : -1;
    run(t);
    if (strcmp(t->collective, "barrier") == 0 || (strcmp(t->collective, "ping_pong") == 0 && p->rank > 1))
        return 0;
    for (size_t i = 0; i < t->out_count; i++)
        wrong += t->out[i] != expected_at(t, i);
    return wrong;
}

static double time_batch(const task *t, long operations)
{
    t->peer->barrier();
    double began = now_ns();
    for (long i = 0; i < operations; i++)
        run(t);
    return (now_ns() - began) / (double)operations;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(const task *t, double seconds, size_t bytes, long wrong)
{
    const peer *p = t->peer;
    double halves = strcmp(t->collective, "ping_pong") == 0 ? 2 : 1;
    double warm = 0, ns = 0, sum = 0;
    long operations = 1;

    for (double began = now_ns(); warm < WARM_UP_NS; warm = p->max(now_ns() - began)) {
        ns = p->max(time_batch(t, operations));
        operations = ns > BATCH_NS ? 1 : ns < BATCH_NS / 1000.0 ? 1000 : (long)(BATCH_NS / ns);
    }
    double wanted = seconds * 1e9 / (ns * (double)operations);
    long batches = wanted < BATCHES_MIN ? BATCHES_MIN : wanted > BATCHES_MAX ? BATCHES_MAX : (long)wanted;
    double *times = malloc((size_t)batches * sizeof *times);
    for (long i = 0; i < batches; i++)
        sum += times[i] = time_batch(t, operations);
    qsort(times, (size_t)batches, sizeof *times, compare);
    double median = p->max(times[batches / 2]), p99 = p->max(times[batches * 99 / 100]);
    double mean = p->max(sum / (double)batches), all_wrong = p->max((double)wrong);
    if (p->rank == 0)
        printf("%s %zu %.4f %.4f %.4f %.0f\n", t->collective, bytes, median / halves / 1e3,
               p99 / halves / 1e3, mean / halves / 1e3, all_wrong);
    fflush(stdout);
    free(times);
}

static float *allocate(const peer *p, size_t bytes)
{
    void *memory = NULL;

    if (p->allocate)
        return p->allocate(bytes);
    return posix_memalign(&memory, 4096, bytes) == 0 ? memory : NULL;
}

static void release(const peer *p, float *buffer)
{
    if (p->release)
        p->release(buffer);
    else
        free(buffer);
}

int loop_main(const peer *p, int argc, char **argv)
{
    if (argc != 6 || !offered(p, argv[1])) {
        if (p->rank == 0)
            fprintf(stderr,
                    "usage: COLLECTIVE MIN MAX FACTOR SECONDS; or this contender has no such collective\n");
        return 2;
    }
    size_t min = strtoull(argv[2], NULL, 10), max = strtoull(argv[3], NULL, 10),
           factor = strtoull(argv[4], NULL, 10);
    bool blocks_out = strcmp(argv[1], "all_gather") == 0, blocks_in = strcmp(argv[1], "reduce_scatter") == 0;
    size_t parts = blocks_in || blocks_out ? (size_t)p->size : 1;
    bool is_barrier = strcmp(argv[1], "barrier") == 0;

    for (size_t bytes = min; bytes <= max; bytes *= factor) {
        task t = { .peer = p, .collective = argv[1] };

        t.count = (bytes / sizeof(float) + parts - 1) / parts;
        t.in_count = blocks_in ? t.count * parts : t.count;
        t.out_count = blocks_out ? t.count * parts : t.count;
        t.in = allocate(p, t.in_count * sizeof(float));
        t.out = allocate(p, t.out_count * sizeof(float));
        if (!t.in || !t.out)
            return 1;
        long wrong = check(&t);
        memset(t.in, 0, t.in_count * sizeof(float));
        memset(t.out, 0, t.out_count * sizeof(float));
        measure(&t, strtod(argv[5], NULL), is_barrier ? 0 : t.count * parts * sizeof(float), wrong);
        release(p, t.in);
        release(p, t.out);
        if (is_barrier)
            break;
    }
    return 0;
}
