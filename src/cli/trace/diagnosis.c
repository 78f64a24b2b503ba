/*
 * The one sentence of a trace: how much of the time ranks wait, for whom, and what to try. A rank that makes
 * the others wait comes first; ranks that share CPUs wait for their turn, all alike.
 */
#include <stdarg.h>

#include "src/cli/text.h"
#include "src/cli/trace/trace.h"

#define HARDLY 5.0         /* percent of the time */
#define MORE_THAN_EVEN 1.5 /* times its share: a rank is to blame */

typedef struct finding {
    double waiting; /* percent of the ranks' time */
    int worst;      /* the rank for which the others waited longest */
    double blame;   /* percent of that waiting */
} finding;

static finding find(const trace_sums *sums, int ranks)
{
    int64_t awaited_ns = 0;
    int worst = 0;

    for (int rank = 0; rank < ranks; rank++) {
        awaited_ns += sums->ranks[rank].awaited_ns;
        if (sums->ranks[rank].awaited_ns > sums->ranks[worst].awaited_ns)
            worst = rank;
    }
    return (finding){ trace_percent(sums->waited_ns, (sums->end_ns - sums->begin_ns) * ranks), worst,
                      trace_percent(sums->ranks[worst].awaited_ns, awaited_ns) };
}

/* In which phase ranks wait longest; NULL: there is none, or it has no more than half of it. */
static const char *find_phase(const trace_sums *sums)
{
    for (size_t i = 0; i < sums->phase_count; i++)
        if (sums->phases[i].waited_ns > sums->waited_ns / 2)
            return sums->phases[i].name;
    return NULL;
}

static void append(char *text, size_t bytes, size_t *used, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void append(char *text, size_t bytes, size_t *used, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int more = vsnprintf(text + *used, bytes - *used, format, args);
    va_end(args);
    *used += more > 0 ? (size_t)more : 0;
    *used = *used < bytes ? *used : bytes - 1;
}

void trace_diagnose(const trace *trace, const trace_sums *sums, char *text, size_t bytes)
{
    finding found = find(sums, trace->ranks);
    const char *phase = find_phase(sums);
    int cpus = trace->job.cpus;
    bool shared = cpus && trace->ranks > cpus;
    size_t used = 0;

    if (found.waiting < HARDLY) {
        append(text, bytes, &used, "ranks hardly wait: %.1f%% of their time", found.waiting);
        return;
    }
    append(text, bytes, &used, "waiting is %.0f%% of the time", found.waiting);
    if (phase)
        append(text, bytes, &used, ", mostly in phase %s", phase);
    if (sums->judged && found.blame > MORE_THAN_EVEN * 100.0 / trace->ranks) {
        append(text, bytes, &used,
               ": rank %d made the others wait, for %.1f%% of all the time that ranks waited for a late one",
               found.worst, found.blame);
        if (shared)
            append(text, bytes, &used, "; %d ranks share %d CPU%s; with -n %d each has its own", trace->ranks,
                   cpus, plural((unsigned)cpus), cpus);
    } else if (shared) {
        append(text, bytes, &used, ": %d ranks on %d CPU%s take turns; try -n %d", trace->ranks, cpus,
               plural((unsigned)cpus), cpus);
    } else if (sums->judged == 0) {
        append(text, bytes, &used,
               "; for whom is not known, as there is no operation of which all ranks' exact times are");
    } else {
        append(text, bytes, &used, "; no rank in particular made the others wait");
    }
}
