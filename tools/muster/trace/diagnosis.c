/*
 * The one sentence of a trace: how much of the time ranks wait, for whom, and what to try. A rank that makes
 * the others wait comes first; ranks that share CPUs wait for their turn, all alike.
 */
#include "tools/muster/trace/diagnosis.h"

#include "tools/muster/text.h"

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

/* How many ranks share a host's CPUs, at most. */
static int ranks_of_host(const trace *trace)
{
    int most = 0;

    if (!trace->part)
        return trace->ranks;
    for (int host = 0; host < trace->ranks; host++) {
        int count = 0;

        for (int rank = host; rank < trace->ranks; rank++)
            count += trace->part->here[rank] && trace->part->host[rank] == host;
        most = count > most ? count : most;
    }
    return most;
}

void trace_diagnose(const trace *trace, const trace_sums *sums, char *text, size_t bytes)
{
    finding found = find(sums, trace->ranks);
    const char *phase = find_phase(sums);
    int cpus = trace->job.cpus, sharers = ranks_of_host(trace);
    const char *each = trace->part ? " for each host" : "";
    bool shared = cpus && sharers > cpus;
    sentence said = { text, 0, (int)bytes };

    if (found.waiting < HARDLY) {
        say(&said, "ranks hardly wait: %.1f%% of their time", found.waiting);
        return;
    }
    say(&said, "waiting is %.0f%% of the time", found.waiting);
    if (phase)
        say(&said, ", mostly in phase %s", phase);
    if (sums->judged && found.blame > MORE_THAN_EVEN * 100.0 / trace->ranks) {
        say(&said,
            ": rank %d made the others wait, for %.1f%% of all the time that ranks waited for a late one",
            found.worst, found.blame);
        if (shared)
            say(&said, "; %d ranks share %d CPU%s; with -n %d%s each has its own", sharers, cpus,
                plural((unsigned)cpus), cpus, each);
    } else if (shared) {
        say(&said, ": %d ranks on %d CPU%s take turns; try -n %d%s", sharers, cpus, plural((unsigned)cpus),
            cpus, each);
    } else if (sums->judged == 0) {
        say(&said, "; it is not known for whom, as no operation has exact times of all ranks");
    } else {
        say(&said, "; no rank in particular made the others wait");
    }
}
