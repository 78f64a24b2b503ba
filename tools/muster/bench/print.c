/* The table of `muster bench`, in nccl-tests' columns, and the same as JSON. */
#include "tools/muster/bench/print.h"

#include <math.h>
#include <stdio.h>

#include "tools/muster/text.h"

const char *const bench_op_names[] = { "sum", "prod", "max",    "min",    "avg", "band",
                                       "bor", "bxor", "maxloc", "minloc", NULL };

static bool rows_before; /* a comma is due in the JSON */

static void print_number(const char *name, double value, const char *end)
{
    if (isnan(value))
        printf("\"%s\": null%s", name, end);
    else
        printf("\"%s\": %.6g%s", name, value, end);
}

static void print_limits_json(const bench_limits *limits)
{
    printf("  \"limits\": { ");
    print_number("line_ping_ns", limits->ping_ns, ", ");
    print_number("futex_wake_us", limits->wake_us, ", ");
    print_number("read_1_gbps", limits->read_gbps[0], ", ");
    print_number("read_2_gbps", limits->read_gbps[1], ", ");
    print_number("write_1_gbps", limits->write_gbps[0], ", ");
    print_number("write_2_gbps", limits->write_gbps[1], ", ");
    print_number("copy_1_gbps", limits->copy_gbps[0], ", ");
    print_number("copy_2_gbps", limits->copy_gbps[1], ", ");
    print_number("cached_copy_1_gbps", limits->cache_copy_gbps, " },\n");
}

/* A dash, where it could not be measured. */
static void print_limit(const char *before, int decimals, double value, const char *after)
{
    if (isnan(value))
        printf("%s-%s", before, after);
    else
        printf("%s%.*f%s", before, decimals, value, after);
}

static void print_pair(const char *before, const double values[2])
{
    print_limit(before, 1, values[0], " / ");
    print_limit("", 1, values[1], "");
}

void bench_print_limits(const bench_options *options, const bench_limits *limits)
{
    if (options->json) {
        printf("{\n  \"schema\": 1,\n  \"muster\": \"%s\",\n  \"ranks\": %d,\n", muster_version(),
               options->ranks);
        printf("  \"buffers\": \"%s\",\n  \"in_place\": %s,\n", options->arena ? "arena" : "private",
               options->in_place ? "true" : "false");
        printf("  \"started\": %s,\n", options->started ? "true" : "false");
        printf("  \"threads\": %d,\n", options->threads);
        printf("  \"neighbours\": %d,\n", options->neighbours);
        if (limits)
            print_limits_json(limits);
        printf("  \"rows\": [");
        return;
    }
    printf("# muster %s, %d rank%s, %s buffers%s%s\n", muster_version(), options->ranks,
           plural((unsigned)options->ranks), options->arena ? "arena" : "private",
           options->in_place ? ", in place" : "", options->started ? ", started" : "");
    if (options->threads > 1)
        printf("# %d threads of each rank in one collective\n", options->threads);
    if (options->neighbours)
        printf("# beside %d busy process%s on each CPU\n", options->neighbours,
               options->neighbours == 1 ? "" : "es");
    if (!limits)
        return;
    print_limit("# this machine: a cache line to another CPU ", 0, limits->ping_ns, " ns");
    print_limit(", a futex wake ", 1, limits->wake_us, " us");
    print_pair(", one way\n# memory, one process / two, GB/s: read ", limits->read_gbps);
    print_pair(", write ", limits->write_gbps);
    print_pair(", copy ", limits->copy_gbps);
    print_limit(" (read + written); copy in cache ", 1, limits->cache_copy_gbps, "\n");
}

void bench_print_case(const bench_options *options, const bench_case *which)
{
    if (options->json)
        return;
    printf("#\n# %s%s%s\n", which->name, which->reduces ? ", " : "",
           which->reduces ? bench_op_names[options->op] : "");
    printf("#%13s %12s %9s %10s %10s %10s %8s %8s %6s\n", "size", "count", "type", "time", "p99", "mean",
           "algbw", "busbw", "wrong");
    printf("#%13s %12s %9s %10s %10s %10s %8s %8s %6s\n", "(B)", "(elements)", "", "(us)", "(us)", "(us)",
           "(GB/s)", "(GB/s)", "");
}

void bench_print_row(const bench_options *options, const bench_row *row)
{
    const char *dtype = muster_dtype_name(options->dtype);

    if (!options->json) {
        printf(" %13zu %12zu %9s %10.2f %10.2f %10.2f %8.2f %8.2f %6ld\n", row->bytes, row->count,
               row->which->bus_factor ? dtype : "-", row->median_us, row->p99_us, row->mean_us,
               row->algorithm_gbps, row->bus_gbps, row->wrong);
        fflush(stdout);
        return;
    }
    printf("%s\n    { \"collective\": \"%s\", \"op\": \"%s\", \"type\": \"%s\", \"bytes\": %zu, \"count\": "
           "%zu, ",
           rows_before ? "," : "", row->which->name,
           row->which->reduces ? bench_op_names[options->op] : "none", dtype, row->bytes, row->count);
    print_number("median_us", row->median_us, ", ");
    print_number("p99_us", row->p99_us, ", ");
    print_number("mean_us", row->mean_us, ", ");
    print_number("algbw_gbps", row->algorithm_gbps, ", ");
    print_number("busbw_gbps", row->bus_gbps, ", ");
    printf("\"repetitions\": %ld, \"wrong\": %ld }", row->repetitions, row->wrong);
    rows_before = true;
}

bool bench_print_end(const bench_options *options, long wrong)
{
    if (options->json)
        printf("\n  ],\n  \"wrong\": %ld\n}\n", wrong);
    else if (wrong)
        printf("# %ld element%s WRONG\n", wrong, wrong == 1 ? " was" : "s were");
    else
        printf("# every result was right\n");
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "muster bench: not all results could be written to standard output\n");
    return false;
}
