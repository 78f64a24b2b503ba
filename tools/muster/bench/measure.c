/*
 * The body of one rank of `muster bench`.
 *
 * A row is one operation at one size: buffers are made, filled and checked once; then, with zeros in
 * them, so that sums stay sums, batches of operations are timed until the time for the row is up. A
 * batch is as many operations as take some 20 microseconds, so that reading the clock costs nothing
 * against it. Ranks agree on the size of a batch and on the number of batches. What is reported is
 * the largest of the ranks' medians.
 *
 * A large input is written before each operation, outside the measured time, as a program would: lines that
 * nobody has written since the last time may still be in the caches of the peers that read them then.
 */
#include "tools/muster/bench/measure.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/muster/bench/options.h"
#include "tools/muster/bench/print.h"
#include "tools/muster/bench/started.h"
#include "tools/muster/bench/threads.h"

#define BATCH_NS 20000
#define BATCHES_MIN 5
#define BATCHES_MAX 20000
#define WARM_UP_NS 2000000
#define WRITTEN_BYTES_MIN 16384 /* of an input, to be written before each operation */

typedef struct buffers {
    void *in, *out;               /* what the operation is given */
    void *memory_in, *memory_out; /* what is to be freed */
    size_t bytes_in, bytes_out;
} buffers;

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int give_up(void)
{
    fprintf(stderr, "muster bench: %s\n", muster_error_detail());
    return 1;
}

/* ---- buffers ---- */

static void *get(const bench_options *options, muster_group *world, size_t bytes)
{
    void *memory = NULL;

    if (options->arena)
        return muster_alloc(world, bytes ? bytes : 1, &memory) == MUSTER_OK ? memory : NULL;
    return posix_memalign(&memory, 4096, bytes ? bytes : 1) == 0 ? memory : NULL;
}

static void release(const bench_options *options, muster_group *world, buffers *buffers)
{
    if (options->arena) {
        muster_free(world, buffers->memory_in);
        muster_free(world, buffers->memory_out);
    } else {
        free(buffers->memory_in);
        free(buffers->memory_out);
    }
}

static void clear(const buffers *buffers)
{
    memset(buffers->memory_in, 0, buffers->bytes_in);
    memset(buffers->memory_out, 0, buffers->bytes_out);
}

static bool has_in_place_form(const bench_case *which)
{
    static const char *const without[] = { "all_to_all", "all_to_allv", "sendrecv", "ping_pong",
                                           "tags",       "halo",        "farm",     "put_signal" };

    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
        if (strcmp(which->name, without[i]) == 0)
            return false;
    return which->bus_factor != NULL;
}

static bool make_buffers(const bench_options *options, bench_call *call, buffers *made)
{
    size_t ranks = (size_t)muster_group_size(call->group), rank = (size_t)muster_group_rank(call->group);
    size_t block = call->count * muster_dtype_size(call->dtype);
    size_t in_bytes = call->which->in_all ? ranks * block : block;
    size_t out_bytes = bench_out_blocks(call->which, (int)ranks) * block;

    *made = (buffers){ 0 };
    made->bytes_in = in_bytes > out_bytes ? in_bytes : out_bytes; /* in place it has to be the larger */
    made->bytes_out = out_bytes;
    made->memory_in = get(options, call->group, made->bytes_in);
    made->memory_out = get(options, call->group, made->bytes_out);
    if (!made->memory_in || !made->memory_out)
        return false;
    call->in = made->memory_in;
    call->out = made->memory_out;
    if (options->in_place && has_in_place_form(call->which)) {
        call->out = call->in;
        if (out_bytes > in_bytes)
            call->in = (unsigned char *)call->out + rank * block;
        if (in_bytes > out_bytes)
            call->out = (unsigned char *)call->in + rank * block;
    }
    clear(made);
    call->written_bytes = in_bytes >= WRITTEN_BYTES_MIN ? in_bytes : 0;
    return true;
}

/* ---- measuring ---- */

/* A number that all ranks agree on: the largest. */
static bool agree(muster_group *world, double *value)
{
    return muster_all_max(value, value, 1, MUSTER_FLOAT64, world) == MUSTER_OK;
}

static bool run_batch(const bench_call *call, long operations, double *ns)
{
    if (call->written_bytes)
        memset(call->in, 0, call->written_bytes);
    if (muster_barrier(call->group) != MUSTER_OK)
        return false;
    int64_t began = now_ns();
    for (long i = 0; i < operations; i++)
        if (bench_run(call) != MUSTER_OK)
            return false;
    *ns = (double)(now_ns() - began) / (double)operations;
    return true;
}

/* Warms up, and finds how many operations take BATCH_NS; one, where the input is written before each. */
static bool find_batch(const bench_options *options, const bench_call *call, long *operations, double *ns)
{
    int64_t began = now_ns();

    *operations = 1;
    for (;;) {
        if (!run_batch(call, *operations, ns) || !agree(call->group, ns))
            return false;
        double warm = (double)(now_ns() - began);
        if (!agree(call->group, &warm))
            return false;
        if (options->check_only || warm >= WARM_UP_NS)
            break;
        if (call->written_bytes)
            continue;
        double fitting = BATCH_NS / *ns;
        *operations = fitting < 1 ? 1 : fitting > 1000 ? 1000 : (long)fitting;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool measure(const bench_options *options, const bench_call *call, bench_row *row)
{
    double ns, sum = 0;
    long operations;

    if (!find_batch(options, call, &operations, &ns))
        return false;
    double wanted = options->seconds * 1e9 / (ns * (double)operations);
    long batches = wanted < BATCHES_MIN ? BATCHES_MIN : wanted > BATCHES_MAX ? BATCHES_MAX : (long)wanted;
    if (options->check_only)
        batches = BATCHES_MIN;
    double *times = malloc((size_t)batches * sizeof *times);
    if (!times)
        return false;
    for (long i = 0; i < batches; i++) {
        if (!run_batch(call, operations, &times[i])) {
            free(times);
            return false;
        }
        sum += times[i];
    }
    qsort(times, (size_t)batches, sizeof *times, compare);
    row->median_us = times[batches / 2] / 1000;
    row->p99_us = times[(long)((double)batches * 0.99)] / 1000;
    row->mean_us = sum / (double)batches / 1000;
    row->repetitions = batches * operations;
    free(times);
    return agree(call->group, &row->median_us) && agree(call->group, &row->p99_us) &&
           agree(call->group, &row->mean_us);
}

/* One operation on known values. */
static bool check(const bench_call *call, long *wrong)
{
    int64_t sum;

    bench_fill(call);
    if (bench_run(call) != MUSTER_OK)
        return false;
    sum = (int64_t)bench_count_wrong(call);
    if (muster_all_sum(&sum, &sum, 1, MUSTER_INT64, call->group) != MUSTER_OK)
        return false;
    *wrong = (long)sum;
    return true;
}

static bool run_row(const bench_options *options, muster_group *world, bench_row *row)
{
    bench_call call = { .which = row->which,
                        .start = options->started ? bench_start_of(row->which) : NULL,
                        .group = world,
                        .count = row->count,
                        .dtype = options->dtype,
                        .op = options->op };
    buffers buffers;

    if (!make_buffers(options, &call, &buffers))
        return false;
    bool done = check(&call, &row->wrong);
    if (done) {
        clear(&buffers);
        done = measure(options, &call, row);
    }
    release(options, world, &buffers);
    double factor = row->which->bus_factor ? row->which->bus_factor(muster_group_size(world)) : 0;
    row->algorithm_gbps = factor > 0 ? (double)row->bytes / row->median_us / 1000 : 0;
    row->bus_gbps = row->algorithm_gbps * factor;
    return done;
}

static void show_progress(const bench_options *options, const bench_row *row)
{
    if (isatty(STDERR_FILENO) && !options->json)
        fprintf(stderr, "\r\033[K%s, %zu bytes ...", row->which->name, row->bytes);
}

static void clear_progress(const bench_options *options)
{
    if (isatty(STDERR_FILENO) && !options->json)
        fputs("\r\033[K", stderr);
}

/* Above the last size where there is none; the product may have no room in a size. */
static size_t next_size(const bench_options *options, size_t bytes)
{
    return bytes > options->bytes_max / options->factor ? options->bytes_max + 1 : bytes * options->factor;
}

int bench_rank(muster_group *world, void *arg)
{
    const bench_options *options = arg;
    bool shows = muster_group_rank(world) == 0;
    size_t element = muster_dtype_size(options->dtype), ranks = (size_t)muster_group_size(world);
    long wrong = 0;

    if (!bench_threads_start(world, options->threads))
        return 1;
    for (int i = 0; i < options->case_count; i++) {
        const bench_case *which = options->cases[i];
        size_t parts = element * (which->in_all || which->out_blocks == BENCH_EACH ? ranks : 1);

        if (shows)
            bench_print_case(options, which);
        for (size_t bytes = options->bytes_min; bytes <= options->bytes_max;
             bytes = next_size(options, bytes)) {
            bench_row row = { .which = which, .count = which->bus_factor ? (bytes + parts - 1) / parts : 0 };

            row.bytes = row.count * parts;
            if (shows)
                show_progress(options, &row);
            if (!run_row(options, world, &row))
                return give_up();
            wrong += row.wrong;
            if (shows) {
                clear_progress(options);
                bench_print_row(options, &row);
            }
            if (!which->bus_factor)
                break;
        }
    }
    if (!bench_threads_stop(world))
        return give_up();
    if (shows && !bench_print_end(options, wrong))
        return 1;
    return wrong ? 3 : 0;
}
