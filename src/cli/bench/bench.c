/* `muster bench`: options, the machine's limits, and a launch of the ranks that measure. */
#include "src/cli/bench/bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/commands.h"

/* clang-format off */
static const char help[] =
    "usage: muster bench [options] [OPERATION...]\n"
    "\n"
    "Measures operations on this machine, checks every result, and prints what the machine could do at\n"
    "best. Operations: all_reduce (or all_sum), all_gather, reduce_scatter (or sum_scatter), broadcast,\n"
    "reduce, gather, scatter, all_to_all, sendrecv, ping_pong, barrier; all_reduce when none is named.\n"
    "\n"
    "  -n, --ranks N        how many ranks (2)\n"
    "  -b, --min BYTES      first size (4); K, M and G are understood\n"
    "  -e, --max BYTES      last size (64M)\n"
    "  -f, --factor N       from one size to the next (4)\n"
    "  -d, --dtype TYPE     bool, int8 ... float32 ... complex64 (float32)\n"
    "  -o, --op OP          sum, prod, max or min (sum)\n"
    "      --arena          arena buffers: peers read them where they lie\n"
    "      --in-place       where the operation has an in-place form\n"
    "      --seconds S      of measuring per line (0.3)\n"
    "      --no-limits      do not measure the machine first\n"
    "      --check          a few repetitions of each: for the results, not the times\n"
    "      --json           one JSON object instead of the table\n"
    "  -h, --help           this text\n"
    "\n"
    "time is the median over batches of operations, the largest of any rank; p99 and mean likewise.\n"
    "Sizes and bandwidths are those of nccl-tests: of the whole vector, and busbw comparable between\n"
    "operations and numbers of ranks. Exit status 0 when every result was right, 3 when one was not.\n"
    "\n"
    "example: muster bench -n 4 --arena all_sum all_gather\n";
/* clang-format on */

enum { OPTION_ARENA = 256, OPTION_IN_PLACE, OPTION_SECONDS, OPTION_NO_LIMITS, OPTION_CHECK, OPTION_JSON };

static const struct option long_options[] = {
    { "ranks", required_argument, NULL, 'n' },
    { "min", required_argument, NULL, 'b' },
    { "max", required_argument, NULL, 'e' },
    { "factor", required_argument, NULL, 'f' },
    { "dtype", required_argument, NULL, 'd' },
    { "op", required_argument, NULL, 'o' },
    { "arena", no_argument, NULL, OPTION_ARENA },
    { "in-place", no_argument, NULL, OPTION_IN_PLACE },
    { "seconds", required_argument, NULL, OPTION_SECONDS },
    { "no-limits", no_argument, NULL, OPTION_NO_LIMITS },
    { "check", no_argument, NULL, OPTION_CHECK },
    { "json", no_argument, NULL, OPTION_JSON },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

/* A number with K, M or G behind it, from 1 up. */
static bool parse_bytes(const char *text, size_t *bytes)
{
    static const char units[] = "KMG";
    char *end;

    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || text[0] == '-' || value == 0)
        return false;
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (unit) {
        value <<= 10 * (unit - units + 1);
        end++;
    }
    *bytes = (size_t)value;
    return *end == '\0' && value <= 1ULL << 40;
}

static bool parse_dtype(const char *text, muster_dtype *dtype)
{
    for (int i = 0; i < MUSTER_DTYPE_COUNT; i++)
        if (strcmp(text, muster_dtype_name((muster_dtype)i)) == 0) {
            *dtype = (muster_dtype)i;
            return true;
        }
    return false;
}

static bool parse_op(const char *text, muster_op *op)
{
    static const char *const names[] = { "sum", "prod", "max", "min" };

    for (int i = 0; i < MUSTER_OP_COUNT; i++)
        if (strcmp(text, names[i]) == 0) {
            *op = (muster_op)i;
            return true;
        }
    return false;
}

/* An option with a value: 0, or an exit status after a complaint. */
static int take_value(int option, bench_options *options)
{
    char *end;
    size_t number;

    switch (option) {
    case 'n':
        if (!parse_bytes(optarg, &number) || number > 1024)
            return usage_error("bench", "-n %s: expected a number of ranks from 1 to 1024", optarg);
        options->ranks = (int)number;
        return 0;
    case 'b':
    case 'e':
        if (!parse_bytes(optarg, option == 'b' ? &options->bytes_min : &options->bytes_max))
            return usage_error("bench", "\"%s\" is no size; expected bytes, such as 4096, 64K or 16M",
                               optarg);
        return 0;
    case 'f':
        if (!parse_bytes(optarg, &options->factor) || options->factor < 2)
            return usage_error("bench", "--factor %s: expected 2 or more", optarg);
        return 0;
    case 'd':
        if (!parse_dtype(optarg, &options->dtype))
            return usage_error("bench", "--dtype %s: expected bool, int8, ... float32, ... complex64",
                               optarg);
        return 0;
    case 'o':
        if (!parse_op(optarg, &options->op))
            return usage_error("bench", "--op %s: expected sum, prod, max or min", optarg);
        return 0;
    default:
        options->seconds = strtod(optarg, &end);
        if (end == optarg || *end || !(options->seconds > 0 && options->seconds < 3600))
            return usage_error("bench", "--seconds %s: expected a time, such as 0.5", optarg);
        return 0;
    }
}

static int take_option(int option, bench_options *options)
{
    switch (option) {
    case OPTION_ARENA:
        options->arena = true;
        return 0;
    case OPTION_IN_PLACE:
        options->in_place = true;
        return 0;
    case OPTION_NO_LIMITS:
        options->limits = false;
        return 0;
    case OPTION_CHECK:
        options->check_only = true;
        options->limits = false;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    default:
        return take_value(option, options);
    }
}

static int take_cases(int count, char **names, bench_options *options)
{
    if (count == 0)
        options->cases[options->case_count++] = bench_case_find("all_reduce");
    for (int i = 0; i < count; i++) {
        const bench_case *found = bench_case_find(names[i]);

        if (!found)
            return usage_error("bench", "\"%s\" is no operation that can be measured", names[i]);
        if (options->case_count == BENCH_CASES_MAX)
            return usage_error("bench", "at most %d operations at a time", BENCH_CASES_MAX);
        if (options->ranks < 2 &&
            (strcmp(found->name, "ping_pong") == 0 || strcmp(found->name, "sendrecv") == 0))
            return usage_error("bench", "%s needs 2 ranks or more", found->name);
        options->cases[options->case_count++] = found;
    }
    return 0;
}

static int launch(bench_options *options)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;
    bench_limits limits;

    if (options->limits)
        limits = bench_measure_limits();
    bench_print_limits(options, options->limits ? &limits : NULL);
    fflush(stdout); /* before forking: what is buffered would be printed by every rank */
    config.size = options->ranks;
    if (muster_launch(&config, bench_rank, options, &report) == MUSTER_OK)
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
                              .limits = true,
                              .seconds = 0.3 };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "n:b:e:f:d:o:h", long_options, NULL)) != -1) {
        if (option == 'h')
            return fputs(help, stdout) < 0 || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
        int status = option == '?' ? usage_error("bench", "option \"%s\" is not known, or lacks its value",
                                                 argv[optind - 1])
                                   : take_option(option, &options);
        if (status)
            return status;
    }
    if (options.bytes_min > options.bytes_max)
        return usage_error("bench", "the first size, %zu, is above the last, %zu", options.bytes_min,
                           options.bytes_max);
    int status = take_cases(argc - optind, argv + optind, &options);
    return status ? status : launch(&options);
}
