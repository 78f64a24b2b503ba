/* Adds, orders and finds the phases of phases.h. */
#include "tools/muster/trace/phases.h"

#include <stdlib.h>

bool phases_add(trace_phases *phases, const trace_phase *phase)
{
    if (phases->count == phases->room) {
        size_t room = phases->room ? 2 * phases->room : 256;
        trace_phase *list = realloc(phases->list, room * sizeof *list);

        if (!list)
            return false;
        phases->list = list;
        phases->room = room;
    }
    phases->list[phases->count++] = *phase;
    return true;
}

static int by_rank_and_time(const void *a, const void *b)
{
    const trace_phase *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank - y->rank;
    return x->begin_ns < y->begin_ns ? -1 : x->begin_ns > y->begin_ns;
}

static void sort(trace_phases *phases)
{
    if (phases->count)
        qsort(phases->list, phases->count, sizeof *phases->list, by_rank_and_time);
}

void phases_limit(trace_phases *phases, size_t limit)
{
    size_t kept = 0;

    sort(phases);
    for (size_t i = 0; i < phases->count; i++)
        if (i + limit >= phases->count || phases->list[i + limit].rank != phases->list[i].rank)
            phases->list[kept++] = phases->list[i];
    phases->count = kept;
}

void phases_sort(trace_phases *phases, int64_t end_ns)
{
    size_t kept = 0;

    sort(phases);
    for (size_t i = 0; i < phases->count; i++) {
        trace_phase phase = phases->list[i];
        bool last = i + 1 == phases->count || phases->list[i + 1].rank != phase.rank;

        if (phase.end_ns == 0)
            phase.end_ns = last ? end_ns : phases->list[i + 1].begin_ns;
        if (phase.name[0] && phase.end_ns > phase.begin_ns)
            phases->list[kept++] = phase;
    }
    phases->count = kept;
}

const trace_phase *phases_at(const trace_phases *phases, int rank, int64_t at_ns)
{
    const trace_phase wanted = { .rank = rank, .begin_ns = at_ns };
    size_t low = 0, high = phases->count;

    while (low < high) { /* the first that begins later */
        size_t middle = low + (high - low) / 2;

        if (by_rank_and_time(&phases->list[middle], &wanted) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    const trace_phase *phase = low ? &phases->list[low - 1] : NULL;
    return phase && phase->rank == rank && at_ns < phase->end_ns ? phase : NULL;
}
