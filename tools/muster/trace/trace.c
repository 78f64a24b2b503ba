/* Order and waiting of trace.h. */
#include "tools/muster/trace/trace.h"

#include <stdlib.h>
#include <string.h>

static bool add_mark(trace *trace, const muster_record *record)
{
    trace_phase phase = { .rank = record->rank, .begin_ns = record->entered_ns };

    memcpy(phase.name, record->phase, sizeof phase.name);
    return phases_add(&trace->phases, &phase);
}

bool trace_add(trace *trace, const muster_record *record)
{
    if (strcmp(record->call, "phase") == 0)
        return add_mark(trace, record);
    if (trace->count == trace->room) {
        size_t room = trace->room ? 2 * trace->room : 4096;
        muster_record *records = realloc(trace->records, room * sizeof *records);

        if (!records)
            return false;
        trace->records = records;
        trace->room = room;
    }
    trace->records[trace->count++] = *record;
    return true;
}

void trace_free(trace *trace)
{
    free(trace->records);
    free(trace->phases.list);
    free(trace->part);
    *trace = (struct trace){ .records = NULL };
}

/* ---- order ---- */

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* Subsets are counted by each rank for itself, apart from what all members do. */
static bool is_apart(const muster_record *record)
{
    return strcmp(record->call, "subset") == 0;
}

static int by_operation(const void *a, const void *b)
{
    const muster_record *x = a, *y = b;
    int order = compare(x->group, y->group);

    if (order == 0)
        order = compare((uint64_t)x->call_class, (uint64_t)y->call_class);
    if (order == 0)
        order = compare(is_apart(x), is_apart(y));
    if (order == 0)
        order = compare(x->operation, y->operation);
    if (order == 0)
        order = compare((uint64_t)x->rank, (uint64_t)y->rank);
    return order;
}

static int64_t end_of(const trace *trace)
{
    int64_t end_ns = 0;

    for (size_t i = 0; i < trace->count; i++)
        if (trace->records[i].done_ns > end_ns)
            end_ns = trace->records[i].done_ns;
    return end_ns;
}

void trace_sort(trace *trace)
{
    if (trace->count)
        qsort(trace->records, trace->count, sizeof *trace->records, by_operation);
    phases_sort(&trace->phases, trace->phases.count ? end_of(trace) : 0);
}

static int by_rank_latest_first(const void *a, const void *b)
{
    const muster_record *x = a, *y = b;
    int order = compare((uint64_t)x->rank, (uint64_t)y->rank);

    return order ? order : compare((uint64_t)y->done_ns, (uint64_t)x->done_ns);
}

void trace_limit(trace *trace, size_t limit)
{
    size_t kept = 0, of_rank = 0;

    phases_limit(&trace->phases, limit);
    if (trace->count <= limit)
        return;
    qsort(trace->records, trace->count, sizeof *trace->records, by_rank_latest_first);
    for (size_t i = 0; i < trace->count; i++) {
        of_rank = i > 0 && trace->records[i].rank == trace->records[i - 1].rank ? of_rank + 1 : 1;
        if (of_rank <= limit)
            trace->records[kept++] = trace->records[i];
    }
    trace->left_out += trace->count - kept;
    trace->count = kept;
}

/* ---- operations ---- */

size_t trace_operation(const trace *trace, size_t first)
{
    const muster_record *records = trace->records;
    size_t end = first + 1;

    while (end < trace->count && records[end].group == records[first].group &&
           records[end].call_class == records[first].call_class && !is_apart(&records[end]) &&
           records[end].operation == records[first].operation)
        end++;
    return end - first;
}

int trace_last(const muster_record *records, size_t count)
{
    int last = 0;

    if (records[0].call_class > MUSTER_CALL_SPLIT || is_apart(&records[0]) ||
        count != (size_t)records[0].group_size || count < 2)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (records[i].started || !records[i].exact)
            return -1;
        if (records[i].entered_ns > records[last].entered_ns)
            last = (int)i;
    }
    return last;
}

int64_t trace_waited_ns(const muster_record *record)
{
    int64_t until_ns = record->arrived_ns ? record->arrived_ns : record->done_ns;

    return until_ns > record->entered_ns ? until_ns - record->entered_ns : 0;
}

int64_t trace_waited_for_ns(const muster_record *record, const muster_record *last)
{
    int64_t waited_ns = trace_waited_ns(record), late_ns = last->entered_ns - record->entered_ns;

    return waited_ns < late_ns ? waited_ns : late_ns;
}
