/*
 * Puts traces together, for merge.h. Each has ranks of the job's world of its own, and groups have the same
 * numbers in all. Clocks of hosts differ: calendars say by how much, more or less, and operations that hosts
 * did together say it better, as no rank is through with one before the last has entered it.
 */
#include "tools/muster/trace/merge.h"

#include <stdio.h>

#include "tools/muster/trace/file.h"

#define TIME_MAX_NS (4 * 1000000000000000000LL) /* 126 years */

/* How much later the other's times may be made, as far as an operation says. */
typedef struct bounds {
    int64_t least_ns, most_ns;
    bool any;
} bounds;

/* All that a part knows of one operation. */
typedef struct stretch {
    int64_t entered_ns, done_ns; /* the last, and the first */
    bool any;
} stretch;

static bool is_together(const muster_record *record)
{
    return record->call_class == MUSTER_CALL_COLLECTIVE && !record->started && record->exact &&
           record->arrived_ns != 0 && record->group_size > 1;
}

static stretch stretch_of(const muster_record *records, size_t count)
{
    stretch found = { 0, INT64_MAX, false };

    for (size_t i = 0; i < count; i++) {
        if (!is_together(&records[i]))
            continue;
        found.any = true;
        found.entered_ns =
            records[i].entered_ns > found.entered_ns ? records[i].entered_ns : found.entered_ns;
        found.done_ns = records[i].done_ns < found.done_ns ? records[i].done_ns : found.done_ns;
    }
    return found;
}

static int compare(const muster_record *a, const muster_record *b)
{
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->call_class != b->call_class)
        return a->call_class < b->call_class ? -1 : 1;
    return a->operation < b->operation ? -1 : a->operation > b->operation;
}

static void narrow(bounds *bounds, stretch ours, stretch theirs)
{
    int64_t least_ns = ours.entered_ns - theirs.done_ns, most_ns = ours.done_ns - theirs.entered_ns;

    if (!ours.any || !theirs.any)
        return;
    bounds->least_ns = !bounds->any || least_ns > bounds->least_ns ? least_ns : bounds->least_ns;
    bounds->most_ns = !bounds->any || most_ns < bounds->most_ns ? most_ns : bounds->most_ns;
    bounds->any = true;
}

/* By how much the other's times are to be moved. Both are in the order of operations. */
static int64_t find_shift(const trace *trace, const struct trace *other)
{
    int64_t by_calendar_ns =
        (other->part->began_ns + other->part->ahead_ns) - (trace->part->began_ns + trace->part->ahead_ns);
    bounds bounds = { 0, 0, false };
    size_t at = 0, there = 0;

    while (at < trace->count && there < other->count) {
        size_t count = trace_operation(trace, at), count_there = trace_operation(other, there);
        int order = compare(&trace->records[at], &other->records[there]);

        if (order == 0)
            narrow(&bounds, stretch_of(&trace->records[at], count),
                   stretch_of(&other->records[there], count_there));
        at += order <= 0 ? count : 0;
        there += order >= 0 ? count_there : 0;
    }
    return bounds.any ? bounds.least_ns / 2 + bounds.most_ns / 2 : by_calendar_ns;
}

static void move(trace *trace, int64_t by_ns)
{
    for (size_t i = 0; i < trace->count; i++) {
        muster_record *record = &trace->records[i];

        record->entered_ns += by_ns;
        record->done_ns += by_ns;
        record->arrived_ns += record->arrived_ns ? by_ns : 0;
    }
    for (size_t i = 0; i < trace->phases.count; i++) {
        trace->phases.list[i].begin_ns += by_ns;
        trace->phases.list[i].end_ns += by_ns;
    }
}

/* Whether more can be added without leaving what an int64_t holds: a file has times up to half of this, and
 * clocks that differ by more than that (part.c) are those of a damaged one. */
static bool is_near(const trace *trace)
{
    for (size_t i = 0; i < trace->count; i++)
        if (trace->records[i].entered_ns < -TIME_MAX_NS || trace->records[i].done_ns > TIME_MAX_NS)
            return false;
    for (size_t i = 0; i < trace->phases.count; i++)
        if (trace->phases.list[i].begin_ns < -TIME_MAX_NS || trace->phases.list[i].end_ns > TIME_MAX_NS)
            return false;
    return true;
}

static int64_t begin_of(const trace *trace)
{
    int64_t begin_ns = INT64_MAX;

    for (size_t i = 0; i < trace->count; i++)
        begin_ns = trace->records[i].entered_ns < begin_ns ? trace->records[i].entered_ns : begin_ns;
    for (size_t i = 0; i < trace->phases.count; i++)
        begin_ns = trace->phases.list[i].begin_ns < begin_ns ? trace->phases.list[i].begin_ns : begin_ns;
    return begin_ns;
}

static bool append(trace *trace, const struct trace *other)
{
    for (size_t i = 0; i < other->count; i++)
        if (!trace_add(trace, &other->records[i]))
            return false;
    for (size_t i = 0; i < other->phases.count; i++)
        if (!phases_add(&trace->phases, &other->phases.list[i]))
            return false;
    for (int rank = 0; rank < trace->ranks; rank++)
        trace->part->here[rank] |= other->part->here[rank];
    trace->exact = trace->exact && other->exact;
    trace->lost += other->lost;
    trace->left_out += other->left_out;
    return true;
}

static bool fit(const char *command, const trace *trace, const struct trace *other, const char *path)
{
    if (!trace->part || !other->part || trace->part->job != other->part->job ||
        trace->ranks != other->ranks) {
        fprintf(stderr,
                "muster %s: %s is not of the same job as the file before it; several files are those of "
                "one job's hosts\n",
                command, path);
        return false;
    }
    for (int rank = 0; rank < trace->ranks; rank++)
        if (trace->part->here[rank] && other->part->here[rank]) {
            fprintf(stderr,
                    "muster %s: %s has rank %d, as a file before it has; expected one file of each host\n",
                    command, path, rank);
            return false;
        }
    return true;
}

static bool merge(const char *command, trace *trace, struct trace *other, const char *path)
{
    if (!fit(command, trace, other, path))
        return false;
    move(other, find_shift(trace, other));
    if (!is_near(other)) {
        fprintf(stderr,
                "muster %s: %s is more than a century away from the file before it: one of them is damaged\n",
                command, path);
        return false;
    }
    if (!append(trace, other)) {
        fprintf(stderr, "muster %s: out of memory\n", command);
        return false;
    }
    trace_sort(trace);
    return true;
}

bool trace_read_all(const char *command, char **paths, int count, trace *trace)
{
    if (!trace_read(command, paths[0], trace))
        return false;
    for (int i = 1; i < count; i++) {
        struct trace other;

        if (!trace_read(command, paths[i], &other)) {
            trace_free(trace);
            return false;
        }
        bool merged = merge(command, trace, &other, paths[i]);
        trace_free(&other);
        if (!merged) {
            trace_free(trace);
            return false;
        }
    }
    if (count > 1 && begin_of(trace) < 1)
        move(trace, 1 - begin_of(trace)); /* no time is 0 */
    return true;
}
