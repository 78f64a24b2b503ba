/*
 * `muster trace`: where the time of a traced job went, by kind of call and by rank, and who made others wait.
 */
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/commands.h"
#include "src/cli/options.h"
#include "src/cli/trace/trace.h"

enum { CLASSES_SHOWN = 20 };

static const char help[] =
    "usage: muster trace [options] FILE\n"
    "\n"
    "Sums up a trace that muster run --trace has written: for each kind of call the time that ranks moved\n"
    "data and the time that they waited for others, and for each rank how long the others waited for it.\n"
    "\n"
    "      --all   all kinds of calls, not only the 20 that took longest\n"
    "  -h, --help  this text\n"
    "\n"
    "Moved: from when all had come until the call was over. Waited: from entering until all had come.\n"
    "Made others wait: of their waiting, what was for the rank that entered last.\n"
    "\n"
    "example: muster run -n 4 --trace out.json -- ./program && muster trace out.json\n";

/* Calls of one kind: by all ranks, added up. */
typedef struct class
{
    char call[24];
    muster_dtype dtype;
    size_t bytes, count;
    int group_size;
    uint64_t times;
    int64_t moved_ns, waited_ns;
} class;

typedef struct rank_sum {
    uint64_t operations;
    int64_t moved_ns, waited_ns, awaited_ns; /* awaited: by the others, for it */
    uint64_t last;                           /* how often it came last */
} rank_sum;

typedef struct sums {
    class *classes;
    size_t class_count;
    rank_sum ranks[TRACE_RANKS_MAX];
    int64_t begin_ns, end_ns;
    uint64_t judged; /* operations of which it is known who came last */
} sums;

/* ---- adding up ---- */

static int64_t moved_ns(const muster_record *record)
{
    return record->arrived_ns ? record->done_ns - record->arrived_ns : 0;
}

static class *find_class(sums *sums, const muster_record *record)
{
    for (size_t i = 0; i < sums->class_count; i++) {
        class *class = &sums->classes[i];

        if (class->bytes == record->bytes && class->dtype == record->dtype &&
            class->group_size == record->group_size && strcmp(class->call, record->call) == 0)
            return class;
    }
    class *more = realloc(sums->classes, (sums->class_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    sums->classes = more;
    class *added = &more[sums->class_count++];
    *added = (class){ .dtype = record->dtype,
                      .bytes = record->bytes,
                      .count = record->count,
                      .group_size = record->group_size };
    memcpy(added->call, record->call, sizeof added->call);
    return added;
}

static bool add_record(sums *sums, const muster_record *record)
{
    rank_sum *rank = &sums->ranks[record->rank];
    class *class = find_class(sums, record);

    if (!class)
        return false;
    class->times++;
    class->moved_ns += moved_ns(record);
    class->waited_ns += trace_waited_ns(record);
    rank->operations++;
    rank->moved_ns += moved_ns(record);
    rank->waited_ns += trace_waited_ns(record);
    sums->begin_ns = record->entered_ns < sums->begin_ns ? record->entered_ns : sums->begin_ns;
    sums->end_ns = record->done_ns > sums->end_ns ? record->done_ns : sums->end_ns;
    return true;
}

static void add_blame(sums *sums, const muster_record *records, size_t count)
{
    int last = trace_last(records, count);

    if (last < 0)
        return;
    rank_sum *culprit = &sums->ranks[records[last].rank];
    culprit->last++;
    sums->judged++;
    for (size_t i = 0; i < count; i++)
        if ((int)i != last)
            culprit->awaited_ns += trace_waited_for_ns(&records[i], &records[last]);
}

static bool add_up(const trace *trace, sums *sums)
{
    sums->begin_ns = INT64_MAX;
    for (size_t first = 0, count; first < trace->count; first += count) {
        count = trace_operation(trace, first);
        for (size_t i = 0; i < count; i++)
            if (!add_record(sums, &trace->records[first + i]))
                return false;
        add_blame(sums, &trace->records[first], count);
    }
    return true;
}

/* ---- printing ---- */

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static int longest_first(const void *a, const void *b)
{
    const class *x = a, *y = b;
    int64_t of_x = x->moved_ns + x->waited_ns, of_y = y->moved_ns + y->waited_ns;

    return of_x > of_y ? -1 : of_x < of_y;
}

static void print_classes(sums *sums, bool all)
{
    size_t shown = all || sums->class_count < CLASSES_SHOWN ? sums->class_count : (size_t)CLASSES_SHOWN;

    qsort(sums->classes, sums->class_count, sizeof *sums->classes, longest_first);
    printf("%-18s %-9s %10s %6s %9s %11s %10s %10s %7s\n", "call", "type", "bytes", "ranks", "times", "each",
           "moved", "waited", "waiting");
    for (size_t i = 0; i < shown; i++) {
        const class *class = &sums->classes[i];
        int64_t all_ns = class->moved_ns + class->waited_ns;

        printf("%-18s %-9s %10zu %6d %9llu %8.1f us %8.3f s %8.3f s %6.1f%%\n", class->call,
               class->bytes ? muster_dtype_name(class->dtype) : "-", class->bytes, class->group_size,
               (unsigned long long)class->times, seconds(all_ns) * 1e6 / (double)class->times,
               seconds(class->moved_ns), seconds(class->waited_ns), percent(class->waited_ns, all_ns));
    }
    if (shown < sums->class_count)
        printf("and %zu other kinds of calls; --all shows them\n", sums->class_count - shown);
}

static void print_ranks(const sums *sums, int ranks)
{
    int64_t span_ns = sums->end_ns - sums->begin_ns;

    printf("\n%6s %11s %10s %10s %10s %10s %17s\n", "rank", "operations", "elsewhere", "moved", "waited",
           "came last", "made others wait");
    for (int rank = 0; rank < ranks; rank++) {
        const rank_sum *sum = &sums->ranks[rank];

        printf("%6d %11llu %9.1f%% %9.1f%% %9.1f%% %9.1f%% %15.3f s\n", rank,
               (unsigned long long)sum->operations, 100 - percent(sum->moved_ns + sum->waited_ns, span_ns),
               percent(sum->moved_ns, span_ns), percent(sum->waited_ns, span_ns),
               percent((int64_t)sum->last, (int64_t)sums->judged), seconds(sum->awaited_ns));
    }
}

/* Who, if anybody, makes the others wait. */
static void print_verdict(const sums *sums, int ranks)
{
    int64_t all_ns = 0, waited_ns = 0;
    int worst = 0;

    for (int rank = 0; rank < ranks; rank++) {
        all_ns += sums->ranks[rank].awaited_ns;
        waited_ns += sums->ranks[rank].waited_ns;
        if (sums->ranks[rank].awaited_ns > sums->ranks[worst].awaited_ns)
            worst = rank;
    }
    double share = percent(sums->ranks[worst].awaited_ns, all_ns), even = 100.0 / ranks;
    printf("\n");
    if (sums->judged == 0)
        printf(
            "nobody can be said to have come last: there is no operation of which all ranks' exact times are "
            "known\n");
    else if (percent(waited_ns, (sums->end_ns - sums->begin_ns) * ranks) < 5)
        printf("ranks hardly wait: %.1f%% of their time\n",
               percent(waited_ns, (sums->end_ns - sums->begin_ns) * ranks));
    else if (share > 1.5 * even)
        printf("rank %d made the others wait: for %.1f%% of all the time that ranks waited for a late one\n",
               worst, share);
    else
        printf("no rank in particular made the others wait\n");
}

static void print_caveats(const trace *trace)
{
    if (!trace->exact)
        printf("times are of the flight recorder, right to some milliseconds; muster run --trace has exact "
               "ones\n");
    if (trace->left_out)
        printf("%llu earlier operations are left out\n", (unsigned long long)trace->left_out);
    if (trace->lost)
        printf("%llu operations are lost: they came faster than they could be read\n",
               (unsigned long long)trace->lost);
}

static bool print_trace(const trace *trace, bool all)
{
    static sums sums;

    if (!add_up(trace, &sums)) {
        fprintf(stderr, "muster trace: out of memory\n");
        return false;
    }
    if (trace->count == 0) {
        printf("%d ranks, and no operation\n", trace->ranks);
        return true;
    }
    printf("%zu operations of %d ranks in %.3f s\n", trace->count, trace->ranks,
           seconds(sums.end_ns - sums.begin_ns));
    print_caveats(trace);
    printf("\n");
    print_classes(&sums, all);
    print_ranks(&sums, trace->ranks);
    print_verdict(&sums, trace->ranks);
    free(sums.classes);
    return true;
}

int command_trace(int argc, char **argv)
{
    static const cli_option known[] = { { "all", 0, CLI_FLAG, .offset = 0 } };
    static const cli_syntax syntax = { "trace", help, known, 1, false };
    bool all = false;
    trace trace;

    int status = parse_options(&syntax, argc, argv, &all);
    if (status != OPTIONS_PARSED)
        return status;
    if (argc - optind != 1)
        return usage_error("trace", "expected one FILE, which muster run --trace has written");
    if (!trace_read("trace", argv[optind], &trace))
        return EXIT_FAILURE;
    bool printed = print_trace(&trace, all);
    trace_free(&trace);
    return printed ? EXIT_SUCCESS : EXIT_FAILURE;
}
