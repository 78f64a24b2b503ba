/* Phases of trace.h: what ranks say that they do, from one mark to the rank's next. */
#include <stdlib.h>

#include "tools/muster/trace/trace.h"

bool trace_add_phase(trace *trace, const trace_phase *phase)
{
    if (trace->phase_count == trace->phase_room) {
        size_t room = trace->phase_room ? 2 * trace->phase_room : 256;
        trace_phase *phases = realloc(trace->phases, room * sizeof *phases);

        if (!phases)
            return false;
        trace->phases = phases;
        trace->phase_room = room;
    }
    trace->phases[trace->phase_count++] = *phase;
    return true;
}

static int by_rank_and_time(const void *a, const void *b)
{
    const trace_phase *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank - y->rank;
    return x->begin_ns < y->begin_ns ? -1 : x->begin_ns > y->begin_ns;
}

static void sort(trace *trace)
{
    if (trace->phase_count)
        qsort(trace->phases, trace->phase_count, sizeof *trace->phases, by_rank_and_time);
}

void trace_limit_phases(trace *trace, size_t limit)
{
    size_t kept = 0;

    sort(trace);
    for (size_t i = 0; i < trace->phase_count; i++)
        if (i + limit >= trace->phase_count || trace->phases[i + limit].rank != trace->phases[i].rank)
            trace->phases[kept++] = trace->phases[i];
    trace->phase_count = kept;
}

static int64_t end_of(const trace *trace)
{
    int64_t end_ns = 0;

    for (size_t i = 0; i < trace->count; i++)
        if (trace->records[i].done_ns > end_ns)
            end_ns = trace->records[i].done_ns;
    return end_ns;
}

void trace_sort_phases(trace *trace)
{
    int64_t end_ns = trace->phase_count ? end_of(trace) : 0;
    size_t kept = 0;

    sort(trace);
    for (size_t i = 0; i < trace->phase_count; i++) {
        trace_phase phase = trace->phases[i];
        bool last = i + 1 == trace->phase_count || trace->phases[i + 1].rank != phase.rank;

        if (phase.end_ns == 0)
            phase.end_ns = last ? end_ns : trace->phases[i + 1].begin_ns;
        if (phase.name[0] && phase.end_ns > phase.begin_ns)
            trace->phases[kept++] = phase;
    }
    trace->phase_count = kept;
}

const trace_phase *trace_phase_at(const trace *trace, int rank, int64_t at_ns)
{
    const trace_phase wanted = { .rank = rank, .begin_ns = at_ns };
    size_t low = 0, high = trace->phase_count;

    while (low < high) { /* the first that begins later */
        size_t middle = low + (high - low) / 2;

        if (by_rank_and_time(&trace->phases[middle], &wanted) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    const trace_phase *phase = low ? &trace->phases[low - 1] : NULL;
    return phase && phase->rank == rank && at_ns < phase->end_ns ? phase : NULL;
}
