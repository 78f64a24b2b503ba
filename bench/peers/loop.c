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
#define WRITTEN_BYTES_MIN 16384 /* of an input, to be written before each operation */

struct operation;

typedef struct task {
    const peer *peer;
    const struct operation *operation;
    loop_call *call;
    float *in, *out;
    size_t count; /* of the vector, or per rank */
    size_t in_count, out_count;
} task;

/* ---- the operations ---- */

typedef struct operation {
    const char *name;
    bool in_parts, out_parts;                   /* the vector has a part for each rank */
    bool from_root;                             /* rank 0's `out` is the input */
    bool there_and_back;                        /* between ranks 0 and 1 */
    bool halo;                                  /* `out` has a block for each neighbour */
    bool (*has_result)(int rank);               /* NULL: every rank */
    float (*expected)(const task *t, size_t i); /* element i of `out`; NULL: nothing to look at */
} operation;

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

static float summed(const task *t, size_t i)
{
    return sum_at(t->peer->size, i);
}

static float summed_part(const task *t, size_t i)
{
    return sum_at(t->peer->size, (size_t)t->peer->rank * t->count + i);
}

static float gathered(const task *t, size_t i)
{
    return value_at((int)(i / t->count), i % t->count);
}

static float exchanged(const task *t, size_t i)
{
    return value_at((int)(i / t->count), (size_t)t->peer->rank * t->count + i % t->count);
}

static float of_root(const task *t, size_t i)
{
    (void)t;
    return value_at(0, i);
}

static float of_neighbours(const task *t, size_t i)
{
    int before = loop_neighbour((int)(i / t->count), t->peer->size);

    return value_at((t->peer->rank + t->peer->size - before) % t->peer->size, i % t->count);
}

static bool of_the_pair(int rank)
{
    return rank <= 1;
}

static bool but_root(int rank)
{
    return rank > 0;
}

/* clang-format off */
static const operation operations[LOOP_OPERATIONS] = {
    /*                             name                in parts out    root   back  halo   who   expected */
    [LOOP_BARRIER]             = { "barrier",          false, false, false, false, false, NULL,        NULL },
    [LOOP_ALL_REDUCE]          = { "all_reduce",       false, false, false, false, false, NULL,        summed },
    [LOOP_ALL_GATHER]          = { "all_gather",       false, true,  false, false, false, NULL,        gathered },
    [LOOP_ALL_GATHERV]         = { "all_gatherv",      false, true,  false, false, false, NULL,        gathered },
    [LOOP_REDUCE_SCATTER]      = { "reduce_scatter",   true,  false, false, false, false, NULL,        summed_part },
    [LOOP_BROADCAST]           = { "broadcast",        false, false, true,  false, false, NULL,        of_root },
    [LOOP_ALL_TO_ALL]          = { "all_to_all",       true,  true,  false, false, false, NULL,        exchanged },
    [LOOP_ALL_TO_ALLV]         = { "all_to_allv",      true,  true,  false, false, false, NULL,        exchanged },
    [LOOP_PING_PONG]           = { "ping_pong",        false, false, true,  true,  false, of_the_pair, of_root },
    [LOOP_PING_PONG_TAGGED]    = { "ping_pong_tagged", false, false, true,  true,  false, of_the_pair, of_root },
    [LOOP_HALO]                = { "halo",             false, false, false, false, true,  NULL,        of_neighbours },
    [LOOP_FARM]                = { "farm",             false, false, false, false, false, but_root,    of_root },
    [LOOP_TASKS]               = { "tasks",            false, false, false, false, false, NULL,        of_root },
};
/* clang-format on */

/* ---- checking and measuring one ---- */

static void send_back(const task *t)
{
    const peer *p = t->peer;
    int tag = t->operation == &operations[LOOP_PING_PONG_TAGGED] ? 77 : 0;

    for (int turn = 0; turn < 2 && p->rank < 2; turn++)
        (turn == p->rank ? p->send : p->receive)(t->out, t->count, 1 - p->rank, tag);
}

static void run(const task *t)
{
    if (t->operation->there_and_back)
        send_back(t);
    else
        t->call(t->in, t->out, t->count);
}

static bool is_offered(const peer *p, loop_operation operation)
{
    if (operations[operation].there_and_back)
        return p->send && p->size > 1 && (p->tags || operation != LOOP_PING_PONG_TAGGED);
    if (operation == LOOP_TASKS)
        return p->send && p->receive_any && p->size > 1;
    return p->call[operation] && (!operations[operation].halo || p->size > 1);
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static long check(task *t)
{
    const peer *p = t->peer;
    const operation *o = t->operation;
    long wrong = 0;

    for (size_t i = 0; i < t->in_count; i++)
        t->in[i] = value_at(p->rank, i);
    for (size_t i = 0; i < t->out_count; i++)
        t->out[i] = o->from_root && p->rank == 0 ? value_at(0, i) : -1;
    run(t);
    if (!o->expected || (o->has_result && !o->has_result(p->rank)))
        return 0;
    for (size_t i = 0; i < t->out_count; i++)
        wrong += t->out[i] != o->expected(t, i);
    return wrong;
}

static float *input_of(const task *t, size_t *bytes)
{
    *bytes = (t->operation->from_root ? t->out_count : t->in_count) * sizeof(float);
    return t->operation->from_root ? t->out : t->in;
}

static bool writes_input(const task *t)
{
    size_t bytes;

    input_of(t, &bytes);
    return t->operation->expected && bytes >= WRITTEN_BYTES_MIN;
}

/* A large input is written before each operation, as a program would: lines that nobody has written since the
 * last time may still be in the caches of the peers that read them then. */
static double time_batch(const task *t, long repetitions)
{
    size_t bytes;
    float *input = input_of(t, &bytes);

    if (writes_input(t) && (!t->operation->from_root || t->peer->rank == 0))
        memset(input, 0, bytes);
    t->peer->call[LOOP_BARRIER](NULL, NULL, 0);
    double began = now_ns();
    for (long i = 0; i < repetitions; i++)
        run(t);
    return (now_ns() - began) / (double)repetitions;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(const task *t, double seconds, size_t bytes, long wrong)
{
    const peer *p = t->peer;
    double halves = t->operation->there_and_back ? 2 : 1;
    double warm = 0, ns = 0, sum = 0;
    long repetitions = 1;

    for (double began = now_ns(); warm < WARM_UP_NS; warm = p->max(now_ns() - began)) {
        ns = p->max(time_batch(t, repetitions));
        repetitions = writes_input(t) || ns > BATCH_NS ? 1
                      : ns < BATCH_NS / 1000.0         ? 1000
                                                       : (long)(BATCH_NS / ns);
    }
    double wanted = seconds * 1e9 / (ns * (double)repetitions);
    long batches = wanted < BATCHES_MIN ? BATCHES_MIN : wanted > BATCHES_MAX ? BATCHES_MAX : (long)wanted;
    double *times = malloc((size_t)batches * sizeof *times);
    for (long i = 0; i < batches; i++)
        sum += times[i] = time_batch(t, repetitions);
    qsort(times, (size_t)batches, sizeof *times, compare);
    double median = p->max(times[batches / 2]), p99 = p->max(times[batches * 99 / 100]);
    double mean = p->max(sum / (double)batches), all_wrong = p->max((double)wrong);
    if (p->rank == 0)
        printf("%s %zu %.4f %.4f %.4f %.0f\n", t->operation->name, bytes, median / halves / 1e3,
               p99 / halves / 1e3, mean / halves / 1e3, all_wrong);
    fflush(stdout);
    free(times);
}

/* ---- a farm of many tasks ---- */

#define TASKS_PER_S 1e7
#define TASKS_MIN 1000
#define TASKS_MAX (1 << 23) /* whose numbers, doubled, are floats */

enum { GO_ON = 1, STOP = 2 };

/* A task's first element is its number, and its result's twice that; the rest is along for the way. */
static void work(const task *t)
{
    int tag;

    for (;;) {
        t->peer->receive_any(t->out, t->count, 0, &tag);
        if (tag == STOP)
            return;
        t->in[0] = 2 * t->out[0];
        t->peer->send(t->in, t->count, 0, GO_ON);
    }
}

/* Gives a rank the next task, if there is one. */
static void give(const task *t, int rank, long *given, long tasks)
{
    bool more = *given < tasks;

    t->in[0] = (float)*given;
    *given += more;
    t->peer->send(t->in, t->count, rank, more ? GO_ON : STOP);
}

/* Returns whether the results are wrong. */
static bool hand_out(const task *t, long tasks)
{
    double sum = 0;
    long given = 0;
    int tag;

    for (int rank = 1; rank < t->peer->size; rank++)
        give(t, rank, &given, tasks);
    for (long i = 0; i < tasks; i++) {
        int source = t->peer->receive_any(t->out, t->count, LOOP_ANY, &tag);

        sum += t->out[0];
        give(t, source, &given, tasks);
    }
    return sum != (double)tasks * (double)(tasks - 1);
}

static bool run_farm(const task *t, long tasks)
{
    if (t->peer->rank == 0)
        return hand_out(t, tasks);
    work(t);
    return false;
}

static void measure_tasks(const task *t, double seconds)
{
    const peer *p = t->peer;
    double wanted = seconds * TASKS_PER_S;
    long tasks = wanted < TASKS_MIN ? TASKS_MIN : wanted > TASKS_MAX ? TASKS_MAX : (long)wanted;

    bool wrong = run_farm(t, TASKS_MIN);
    p->call[LOOP_BARRIER](NULL, NULL, 0);
    double began = now_ns();
    wrong = run_farm(t, tasks) || wrong;
    double us = p->max((now_ns() - began) / (double)tasks) / 1e3;
    if (p->rank == 0)
        printf("%s %zu %.4f %.4f %.4f %d\n", t->operation->name, t->count * sizeof(float), us, us, us, wrong);
    fflush(stdout);
}

/* ---- all that were asked for ---- */

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

static bool measure_size(task t, size_t bytes, double seconds)
{
    const peer *p = t.peer;
    const operation *o = t.operation;
    size_t parts = o->in_parts || o->out_parts ? (size_t)p->size : 1;

    t.count = (bytes / sizeof(float) + parts - 1) / parts;
    t.in_count = o->in_parts ? t.count * parts : t.count;
    t.out_count = o->out_parts ? t.count * parts : o->halo ? t.count * LOOP_NEIGHBOURS : t.count;
    t.in = allocate(p, t.in_count * sizeof(float));
    t.out = allocate(p, t.out_count * sizeof(float));
    if (!t.in || !t.out)
        return false;
    bool farm = o == &operations[LOOP_TASKS];
    long wrong = farm ? 0 : check(&t);
    memset(t.in, 0, t.in_count * sizeof(float));
    memset(t.out, 0, t.out_count * sizeof(float));
    if (farm)
        measure_tasks(&t, seconds);
    else
        measure(&t, seconds, o->expected ? t.count * parts * sizeof(float) : 0, wrong);
    release(p, t.in);
    release(p, t.out);
    return true;
}

static bool is_among(const char *name, const char *names)
{
    size_t length = strlen(name);

    for (const char *at = names; at; at = strchr(at, ','), at = at ? at + 1 : NULL)
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

int loop_main(const peer *p, int argc, char **argv)
{
    int measured = 0;

    if (argc != 6) {
        if (p->rank == 0)
            fprintf(stderr, "usage: OPERATION[,OPERATION...] MIN MAX FACTOR SECONDS\n");
        return 1;
    }
    size_t min = strtoull(argv[2], NULL, 10), max = strtoull(argv[3], NULL, 10),
           factor = strtoull(argv[4], NULL, 10);
    for (int i = 0; i < LOOP_OPERATIONS; i++) {
        task t = { .peer = p, .operation = &operations[i], .call = p->call[i] };

        if (!is_offered(p, (loop_operation)i) || !is_among(operations[i].name, argv[1]))
            continue;
        measured++;
        for (size_t bytes = min; bytes <= max; bytes *= factor) {
            if (!measure_size(t, bytes, strtod(argv[5], NULL)))
                return 1;
            if (!t.operation->expected) /* it has no size */
                break;
        }
    }
    return measured ? 0 : 2;
}
