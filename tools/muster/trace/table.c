/*
 * `muster trace`: where the time of a traced job went, by kind of call and by rank, and who made others wait.
 */
#include "tools/muster/trace/table.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tools/muster/commands.h"
#include "tools/muster/options.h"
#include "tools/muster/text.h"
#include "tools/muster/trace/diagnosis.h"
#include "tools/muster/trace/merge.h"
#include "tools/muster/trace/sums.h"

enum { CLASSES_SHOWN = 20 };

static const char help[] =
    "usage: muster trace [options] FILE...\n"
    "\n"
    "Sums up a trace that muster run --trace has written: for each kind of call the time that ranks moved\n"
    "data and the time that they waited for others, and for each rank how long the others waited for it.\n"
    "Several files are those of one job's hosts (muster inspect --trace on each).\n"
    "\n"
    "      --all   all kinds of calls, not only the 20 that took longest\n"
    "  -h, --help  this text\n"
    "\n"
    "Moved: from when all had come until the call was over. Waited: from entering until all had come.\n"
    "Made others wait: of their waiting, what was for the rank that entered last. Phases are what the "
    "program\n"
    "names by muster_phase. The last line says where time is lost, and what to try.\n"
    "\n"
    "example: muster run -n 4 --trace out.json -- ./program && muster trace out.json\n";

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static int longest_first(const void *a, const void *b)
{
    const trace_class *x = a, *y = b;
    int64_t of_x = x->moved_ns + x->waited_ns, of_y = y->moved_ns + y->waited_ns;

    return of_x > of_y ? -1 : of_x < of_y;
}

static bool any_name(const trace_sums *sums)
{
    for (size_t i = 0; i < sums->class_count; i++)
        if (sums->classes[i].group_name[0])
            return true;
    return false;
}

static void print_classes(trace_sums *sums, bool all, FILE *to)
{
    size_t shown = all || sums->class_count < CLASSES_SHOWN ? sums->class_count : (size_t)CLASSES_SHOWN;

    qsort(sums->classes, sums->class_count, sizeof *sums->classes, longest_first);
    fprintf(to, "%-18s %-9s %10s %6s %9s %11s %10s %10s %7s%s\n", "call", "type", "bytes", "ranks", "times",
            "each", "moved", "waited", "waiting", any_name(sums) ? "  group" : "");
    for (size_t i = 0; i < shown; i++) {
        const trace_class *class = &sums->classes[i];
        int64_t all_ns = class->moved_ns + class->waited_ns;
        char call[sizeof class->call + 10];

        snprintf(call, sizeof call, "%s%s", class->call, class->started ? ", started" : "");
        fprintf(to, "%-18s %-9s %10zu %6d %9llu %8.1f us %8.3f s %8.3f s %6.1f%%%s%s\n", call,
                class->bytes ? muster_dtype_name(class->dtype) : "-", class->bytes, class->group_size,
                (unsigned long long)class->times, seconds(all_ns) * 1e6 / (double)class->times,
                seconds(class->moved_ns), seconds(class->waited_ns), trace_percent(class->waited_ns, all_ns),
                class->group_name[0] ? "  " : "", class->group_name);
    }
    if (shown < sums->class_count)
        fprintf(to, "and %zu other kinds of calls; --all shows them\n", sums->class_count - shown);
}

static void print_ranks(const trace *trace, const trace_sums *sums, FILE *to)
{
    int64_t span_ns = sums->end_ns - sums->begin_ns;

    fprintf(to, "\n%6s %11s %10s %10s %10s %10s %17s\n", "rank", "operations", "elsewhere", "moved", "waited",
            "came last", "made others wait");
    for (int rank = 0; rank < trace->ranks; rank++) {
        const trace_part *part = trace->part;
        const trace_rank_sum *sum = &sums->ranks[rank];

        if (part && !part->here[rank])
            continue;
        fprintf(to, "%6d %11llu %9.1f%% %9.1f%% %9.1f%% %9.1f%% %15.3f s%s%s\n", rank,
                (unsigned long long)sum->operations,
                100 - trace_percent(sum->moved_ns + sum->waited_ns, span_ns),
                trace_percent(sum->moved_ns, span_ns), trace_percent(sum->waited_ns, span_ns),
                trace_percent((int64_t)sum->last, (int64_t)sums->judged), seconds(sum->awaited_ns),
                part ? "  " : "", part ? part->names[part->host[rank]] : "");
    }
}

static void print_phases(const trace_sums *sums, int ranks, FILE *to)
{
    int64_t all_ns = (sums->end_ns - sums->begin_ns) * ranks;

    if (sums->phase_count == 0)
        return;
    fprintf(to, "\n%-31s %9s %10s %10s %10s %10s %10s\n", "phase", "times", "time", "of all", "moved",
            "waited", "elsewhere");
    for (size_t i = 0; i < sums->phase_count; i++) {
        const trace_phase_sum *sum = &sums->phases[i];

        fprintf(to, "%-31s %9llu %8.3f s %9.1f%% %9.1f%% %9.1f%% %9.1f%%\n", sum->name,
                (unsigned long long)sum->times, seconds(sum->all_ns), trace_percent(sum->all_ns, all_ns),
                trace_percent(sum->moved_ns, sum->all_ns), trace_percent(sum->waited_ns, sum->all_ns),
                100 - trace_percent(sum->moved_ns + sum->waited_ns, sum->all_ns));
    }
}

static int count_missing(const trace *trace)
{
    int missing = 0;

    for (int rank = 0; trace->part && rank < trace->ranks; rank++)
        missing += !trace->part->here[rank];
    return missing;
}

static void print_missing(const trace *trace, FILE *to)
{
    int missing = count_missing(trace);

    if (missing)
        fprintf(to, "%d rank%s of other hosts %s not here; give the files of all hosts together\n", missing,
                plural((unsigned)missing), missing == 1 ? "is" : "are");
}

static void print_caveats(const trace *trace, FILE *to)
{
    print_missing(trace, to);
    if (!trace->exact)
        fprintf(to, "times are of the flight recorder, right to some milliseconds%s\n",
                trace->part ? ", in groups of one host" : "; muster run --trace has exact ones");
    if (trace->left_out)
        fprintf(to, "%llu earlier operation%s left out\n", (unsigned long long)trace->left_out,
                trace->left_out == 1 ? " is" : "s are");
    if (trace->lost)
        fprintf(to, "%llu operation%s lost: faster than could be read\n", (unsigned long long)trace->lost,
                trace->lost == 1 ? " is" : "s are");
}

bool trace_print(const trace *trace, bool all, FILE *to)
{
    static trace_sums sums;
    char diagnosis[400];

    sums = (trace_sums){ 0 };
    if (!trace_add_up(trace, &sums)) {
        fprintf(stderr, "muster trace: out of memory\n");
        return false;
    }
    if (trace->count == 0) {
        fprintf(to, "%d rank%s, and no operation\n", trace->ranks, plural((unsigned)trace->ranks));
        return true;
    }
    if (trace->job.cpus)
        fprintf(to, "%s, on %s (%d CPU%s), %s\n", trace->job.command, trace->job.host, trace->job.cpus,
                plural((unsigned)trace->job.cpus), trace->job.date);
    int missing = count_missing(trace);
    fprintf(to, "%zu operation%s of ", trace->count, plural(trace->count));
    if (missing)
        fprintf(to, "%d of ", trace->ranks - missing);
    fprintf(to, "%d rank%s in %.3f s\n", trace->ranks, plural((unsigned)trace->ranks),
            seconds(sums.end_ns - sums.begin_ns));
    print_caveats(trace, to);
    fprintf(to, "\n");
    print_classes(&sums, all, to);
    print_ranks(trace, &sums, to);
    print_phases(&sums, trace->ranks, to);
    trace_diagnose(trace, &sums, diagnosis, sizeof diagnosis);
    fprintf(to, "\n%s\n", diagnosis);
    trace_sums_free(&sums);
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
    if (argc == optind)
        return usage_error("trace", "expected a FILE, which muster run --trace has written");
    if (!trace_read_all("trace", argv + optind, argc - optind, &trace))
        return EXIT_FAILURE;
    bool printed = trace_print(&trace, all, stdout);
    trace_free(&trace);
    return printed ? EXIT_SUCCESS : EXIT_FAILURE;
}
