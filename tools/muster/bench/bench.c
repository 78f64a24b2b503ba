/* `muster bench`: options, the machine's limits, and a launch of the ranks that measure. */
#include "tools/muster/bench/limits.h"
#include "tools/muster/bench/measure.h"
#include "tools/muster/bench/options.h"
#include "tools/muster/bench/print.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/muster/bench/neighbours.h"
#include "tools/muster/commands.h"
#include "tools/muster/options.h"
#include "tools/muster/spelling.h"
#include "tools/muster/variables.h"

/* clang-format off */
static const char help[] =
    "usage: muster bench [options] [OPERATION...]\n"
    "\n"
    "Measures operations on this machine, checks every result, and prints what the machine could do at\n"
    "best. Operations: all_reduce (or all_sum), all_gather, reduce_scatter (or sum_scatter), broadcast,\n"
    "reduce, gather, scatter, all_to_all, all_gatherv, reduce_scatterv, gatherv, scatterv, all_to_allv,\n"
    "scan, exscan, sendrecv, ping_pong, tags (ping_pong with a tag for each message), halo (8 sends and 8\n"
    "receives, started, then waited for), farm (rank 0 answers whoever sends next), put_signal, queue,\n"
    "barrier; all_reduce when none is named.\n"
    "\n"
    "  -n, --ranks N        how many ranks (2)\n"
    "  -b, --min BYTES      first size (4); K, M and G are understood\n"
    "  -e, --max BYTES      last size (64M)\n"
    "  -f, --factor N       from one size to the next (4)\n"
    "  -d, --dtype TYPE     a dtype of the header, such as int8 or float32_int32 (float32)\n"
    "  -o, --op OP          sum, prod, max, min, avg, band, bor, bxor, maxloc or minloc (sum)\n"
    "      --arena          arena buffers, which peers read zero-copy\n"
    "      --in-place       where the operation has an in-place form\n"
    "      --started        collectives are started, and then waited for\n"
    "      --threads N      of each rank, which do each collective together (1)\n"
    "      --seconds S      of measuring per line (0.3)\n"
    "      --neighbours N   with N other busy processes on each CPU, as on a machine that is shared\n"
    "      --no-limits      do not measure the machine first\n"
    "      --check          a few repetitions of each: for the results, not the times\n"
    "      --json           one JSON object instead of the table\n"
    "  -h, --help           this text\n"
    "\n"
    "time is the median over batches of operations, the largest of any rank; p99 and mean likewise.\n"
    "Inputs of 16 KiB and more are written before each operation, outside the measured time.\n"
    "Sizes and bandwidths are those of nccl-tests: of the whole vector, and busbw comparable between\n"
    "operations and numbers of ranks. Exit status 0 when every result was right, 3 when one was not.\n"
    "\n"
    "example: muster bench -n 4 --arena all_sum all_gather\n";
/* clang-format on */

#define BYTES_MAX (1ULL << 40)

/* A number with K, M or G behind it, from 1 to BYTES_MAX. */
static bool parse_bytes(const char *text, size_t *bytes)
{
    static const char units[] = "KMG";
    char *end;

    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || text[0] == '-' || value == 0)
        return false;
    const char *unit = *end ? strchr(units, *end) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (value > BYTES_MAX >> shift)
        return false;
    *bytes = (size_t)value << shift;
    return end[unit != NULL] == '\0';
}

static bool take_min(void *into, const char *text)
{
    return parse_bytes(text, &((bench_options *)into)->bytes_min);
}

static bool take_max(void *into, const char *text)
{
    return parse_bytes(text, &((bench_options *)into)->bytes_max);
}

static bool take_factor(void *into, const char *text)
{
    bench_options *options = into;

    return parse_bytes(text, &options->factor) && options->factor >= 2;
}

static bool take_dtype(void *into, const char *text)
{
    for (int i = 0; i < MUSTER_DTYPE_COUNT; i++)
        if (strcmp(text, muster_dtype_name((muster_dtype)i)) == 0) {
            ((bench_options *)into)->dtype = (muster_dtype)i;
            return true;
        }
    return false;
}

static bool take_seconds(void *into, const char *text)
{
    bench_options *options = into;
    char *end;

    options->seconds = strtod(text, &end);
    return end != text && !*end && options->seconds > 0 && options->seconds < 3600;
}

#define AT(field) .offset = offsetof(bench_options, field)
#define SIZE "a size: bytes, such as 4096, 64K or 16M"

#define DTYPES                                                                                               \
    "bool, int8 ... int64, uint8 ... uint64, float16, bfloat16, float32, float64, complex64, complex128, "   \
    "float8_e4m3, float8_e5m2, or a pair: int32_int32, int64_int64, float32_int32 or float64_int64"

static const cli_option known[] = {
    { "ranks", 'n', CLI_COUNT, AT(ranks), "a number of ranks from 1 to 1024" },
    { "np", 0, CLI_COUNT, AT(ranks), "a number of ranks from 1 to 1024" },
    { "min", 'b', CLI_OWN, .take = take_min, .expected = SIZE },
    { "max", 'e', CLI_OWN, .take = take_max, .expected = SIZE },
    { "factor", 'f', CLI_OWN, .take = take_factor, .expected = "2 or more" },
    { "dtype", 'd', CLI_OWN, .take = take_dtype, .expected = DTYPES },
    { "op", 'o', CLI_CHOICE, AT(op), .words = bench_op_names },
    { "arena", 0, CLI_FLAG, AT(arena) },
    { "in-place", 0, CLI_FLAG, AT(in_place) },
    { "started", 0, CLI_FLAG, AT(started) },
    { "threads", 0, CLI_COUNT, AT(threads), "a number of threads from 1 to 1024" },
    { "seconds", 0, CLI_OWN, .take = take_seconds, .expected = "a time, such as 0.5" },
    { "neighbours", 0, CLI_COUNT, AT(neighbours), "a number of processes from 1 to 1024" },
    { "no-limits", 0, CLI_FLAG, AT(no_limits) },
    { "check", 0, CLI_FLAG, AT(check_only) },
    { "json", 0, CLI_FLAG, AT(json) },
};

static const cli_syntax syntax = { "bench", help, known, sizeof known / sizeof known[0], false };

static int complain_of_case(const char *name)
{
    cli_spelling spelling = spelling_of(name);
    char names[300] = "";
    size_t used = 0;

    for (int i = 0; bench_case_at(i); i++) {
        spelling_try(&spelling, bench_case_at(i)->name);
        used += (size_t)snprintf(names + used, sizeof names - used, " %s", bench_case_at(i)->name);
    }
    return usage_error("bench", "\"%s\" is no operation that can be measured; expected some of%s%s%s%s", name,
                       names, spelling.nearest ? "; did you mean " : "",
                       spelling.nearest ? spelling.nearest : "", spelling.nearest ? "?" : "");
}

static bool needs_two(const char *name)
{
    static const char *const names[] = { "ping_pong", "tags",       "halo", "farm",
                                         "sendrecv",  "put_signal", "queue" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static int take_cases(int count, char **names, bench_options *options)
{
    if (count == 0)
        options->cases[options->case_count++] = bench_case_find("all_reduce");
    for (int i = 0; i < count; i++) {
        const bench_case *found = bench_case_find(names[i]);

        if (!found)
            return complain_of_case(names[i]);
        if (options->case_count == BENCH_CASES_MAX)
            return usage_error("bench", "at most %d operations at a time", BENCH_CASES_MAX);
        if (options->ranks < 2 && needs_two(found->name))
            return usage_error("bench", "%s needs 2 ranks or more", found->name);
        options->cases[options->case_count++] = found;
    }
    return 0;
}

/* Whether the op and the dtype work together, before there are ranks that would all say that they do not: a
 * group of one knows. */
static int check_op(const bench_options *options)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *one;
    int status = 0, i = 0;
    const char *why; /* without the call that found it */

    while (i < options->case_count && !options->cases[i]->reduces)
        i++;
    if (i == options->case_count || muster_attach(&config, &one) != MUSTER_OK)
        return 0;
    if (muster_all_reduce(NULL, NULL, 0, options->dtype, (muster_op)options->op, one) == MUSTER_ERR_INVALID) {
        why = strstr(muster_error_detail(), ": ");
        status = usage_error("bench", "%s", why ? why + 2 : muster_error_detail());
    }
    muster_group_free(one);
    return status;
}

static int launch(bench_options *options)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;
    bool limited = !options->no_limits && !options->check_only;
    bench_limits limits;

    if (limited) {
        limits = bench_measure_limits();
        if (limits.why)
            fprintf(stderr,
                    "muster bench: not every limit of this machine was measured: %s; --no-limits leaves them "
                    "out\n",
                    limits.why);
    }
    bench_print_limits(options, limited ? &limits : NULL);
    fflush(stdout); /* before forking: what is buffered would be printed by every rank */
    config.size = options->ranks;
    if (options->neighbours && !bench_neighbours_start(options->neighbours)) {
        fprintf(stderr, "muster bench: neighbours could not be started: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    muster_status status = muster_launch(&config, bench_rank, options, &report);
    bool were_there = bench_neighbours_are_there();
    bench_neighbours_stop();
    if (!were_there) {
        fprintf(stderr,
                "muster bench: a neighbour ended while ranks measured, and these times are not beside it; "
                "may this process use all CPUs that it was given?\n");
        return EXIT_FAILURE;
    }
    if (status == MUSTER_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "muster bench: %s\n", report.summary[0] ? report.summary : muster_error_detail());
    return report.exit_status ? report.exit_status : EXIT_FAILURE;
}

int command_bench(int argc, char **argv)
{
    bench_options options = { .ranks = 2,
                              .bytes_min = 4,
                              .bytes_max = 64UL << 20,
                              .factor = 4,
                              .dtype = MUSTER_FLOAT32,
                              .op = MUSTER_SUM,
                              .seconds = 0.3,
                              .threads = 1 };
    int status = parse_options(&syntax, argc, argv, &options);
    if (status != OPTIONS_PARSED)
        return status;
    if (options.bytes_min > options.bytes_max)
        return usage_error("bench", "the first size, %zu, is above the last, %zu", options.bytes_min,
                           options.bytes_max);
    warn_of_variables("bench");
    status = take_cases(argc - optind, argv + optind, &options);
    if (status == 0)
        status = check_op(&options);
    return status ? status : launch(&options);
}
