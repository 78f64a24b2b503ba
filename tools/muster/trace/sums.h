/* What a trace adds up to: by kind of call, by rank and by phase. */
#ifndef MUSTER_TRACE_SUMS_H
#define MUSTER_TRACE_SUMS_H

#include "tools/muster/trace/trace.h"

/* Calls of one kind: by all ranks, added up. */
typedef struct trace_class {
    char call[MUSTER_CALL_NAME_BYTES];
    muster_dtype dtype;
    size_t bytes, count;
    int group_size;
    char group_name[MUSTER_GROUP_NAME_BYTES];
    bool started;
    uint64_t times;
    int64_t moved_ns, waited_ns;
} trace_class;

typedef struct trace_rank_sum {
    uint64_t operations;
    int64_t moved_ns, waited_ns, awaited_ns; /* awaited: by the others, for it */
    uint64_t last;                           /* how often it came last */
} trace_rank_sum;

/* A phase, by its name: all its stretches on all ranks. */
typedef struct trace_phase_sum {
    const char *name;
    uint64_t times;
    int64_t all_ns, moved_ns, waited_ns;
} trace_phase_sum;

typedef struct trace_sums {
    trace_class *classes;
    size_t class_count;
    trace_phase_sum *phases;
    size_t phase_count;
    trace_rank_sum ranks[TRACE_RANKS_MAX];
    int64_t begin_ns, end_ns;
    int64_t waited_ns; /* by all ranks */
    uint64_t judged;   /* operations of which it is known who came last */
} trace_sums;

static inline double trace_percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

/* Adds up a sorted trace; false: no memory. */
bool trace_add_up(const trace *trace, trace_sums *sums);
void trace_sums_free(trace_sums *sums);

#endif
