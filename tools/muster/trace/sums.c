/* Adding up of trace.h: by kind of call, by rank, and by phase. */
#include "tools/muster/trace/sums.h"

#include <stdlib.h>
#include <string.h>

static int64_t moved_ns(const muster_record *record)
{
    return record->arrived_ns ? record->done_ns - record->arrived_ns : 0;
}

static trace_class *find_class(trace_sums *sums, const muster_record *record)
{
    for (size_t i = 0; i < sums->class_count; i++) {
        trace_class *class = &sums->classes[i];

        if (class->bytes == record->bytes && class->dtype == record->dtype &&
            class->group_size == record->group_size && class->started == record->started &&
            strcmp(class->call, record->call) == 0 && strcmp(class->group_name, record->group_name) == 0)
            return class;
    }
    trace_class *more = realloc(sums->classes, (sums->class_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    sums->classes = more;
    trace_class *added = &more[sums->class_count++];
    *added = (trace_class){ .dtype = record->dtype,
                            .bytes = record->bytes,
                            .count = record->count,
                            .group_size = record->group_size,
                            .started = record->started };
    memcpy(added->call, record->call, sizeof added->call);
    memcpy(added->group_name, record->group_name, sizeof added->group_name);
    return added;
}

static trace_phase_sum *find_phase(trace_sums *sums, const char *name)
{
    for (size_t i = 0; i < sums->phase_count; i++)
        if (strcmp(sums->phases[i].name, name) == 0)
            return &sums->phases[i];
    trace_phase_sum *more = realloc(sums->phases, (sums->phase_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    sums->phases = more;
    more[sums->phase_count] = (trace_phase_sum){ .name = name };
    return &more[sums->phase_count++];
}

static bool add_phases(const trace *trace, trace_sums *sums)
{
    for (size_t i = 0; i < trace->phases.count; i++) {
        const trace_phase *phase = &trace->phases.list[i];
        trace_phase_sum *sum = find_phase(sums, phase->name);

        if (!sum)
            return false;
        sum->times++;
        sum->all_ns += phase->end_ns - phase->begin_ns;
        sums->begin_ns = phase->begin_ns < sums->begin_ns ? phase->begin_ns : sums->begin_ns;
    }
    return true;
}

static bool add_record(const trace *trace, trace_sums *sums, const muster_record *record)
{
    const trace_phase *phase = phases_at(&trace->phases, record->rank, record->entered_ns);
    trace_phase_sum *of_phase = phase ? find_phase(sums, phase->name) : NULL;
    trace_rank_sum *rank = &sums->ranks[record->rank];
    trace_class *class = find_class(sums, record);

    if (!class || (phase && !of_phase))
        return false;
    if (of_phase) {
        of_phase->moved_ns += moved_ns(record);
        of_phase->waited_ns += trace_waited_ns(record);
    }
    class->times++;
    class->moved_ns += moved_ns(record);
    class->waited_ns += trace_waited_ns(record);
    rank->operations++;
    rank->moved_ns += moved_ns(record);
    rank->waited_ns += trace_waited_ns(record);
    sums->waited_ns += trace_waited_ns(record);
    sums->begin_ns = record->entered_ns < sums->begin_ns ? record->entered_ns : sums->begin_ns;
    sums->end_ns = record->done_ns > sums->end_ns ? record->done_ns : sums->end_ns;
    return true;
}

static void add_blame(trace_sums *sums, const muster_record *records, size_t count)
{
    int last = trace_last(records, count);

    if (last < 0)
        return;
    trace_rank_sum *culprit = &sums->ranks[records[last].rank];
    culprit->last++;
    sums->judged++;
    for (size_t i = 0; i < count; i++)
        if ((int)i != last)
            culprit->awaited_ns += trace_waited_for_ns(&records[i], &records[last]);
}

bool trace_add_up(const trace *trace, trace_sums *sums)
{
    sums->begin_ns = INT64_MAX;
    if (!add_phases(trace, sums))
        return false;
    for (size_t first = 0, count; first < trace->count; first += count) {
        count = trace_operation(trace, first);
        for (size_t i = 0; i < count; i++)
            if (!add_record(trace, sums, &trace->records[first + i]))
                return false;
        add_blame(sums, &trace->records[first], count);
    }
    return true;
}

void trace_sums_free(trace_sums *sums)
{
    free(sums->classes);
    free(sums->phases);
}
