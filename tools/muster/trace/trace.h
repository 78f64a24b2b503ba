/*
 * A trace: the operations of a job, rank by rank, and what can be said of them. Collected from a job's flight
 * recorder (collect.c), kept in a file that Perfetto and Chrome show (file.c), summed up as a table
 * (table.c) or drawn as a page (report.c).
 *
 * All members' records of one collective are an operation. It begins for each when it enters; who enters
 * last makes the others wait. Phases are stretches of a rank's time that the program has named.
 */
#ifndef MUSTER_CLI_TRACE_H
#define MUSTER_CLI_TRACE_H

#include <stdio.h>

#include "muster/muster.h"

enum { TRACE_RANKS_MAX = 1024, TRACE_LIMIT = 20000 };

/* A stretch of a rank's time that has a name. */
typedef struct trace_phase {
    int rank;
    int64_t begin_ns, end_ns; /* end 0: until the rank's next one */
    char name[32];            /* "": none, before the trace is sorted */
} trace_phase;

/* What was run, where and when; cpus 0: none of it is known. */
typedef struct trace_job {
    char command[300], host[70], date[40];
    int cpus;
} trace_job;

typedef struct trace {
    muster_record *records; /* in the order of operations, once sorted */
    size_t count, room;
    trace_phase *phases; /* by rank and time, once sorted */
    size_t phase_count, phase_room;
    trace_job job;
    int ranks;         /* of the world */
    bool exact;        /* all times are */
    uint64_t lost;     /* overwritten before they could be read */
    uint64_t left_out; /* older than the latest so many of each rank */
} trace;

/* Adds one, which may be a mark; false: no memory. */
bool trace_add(trace *trace, const muster_record *record);
void trace_free(trace *trace);

/* Operations by group and number, then by rank; phases by rank and time, and closed. */
void trace_sort(trace *trace);

/* Keeps the latest `limit` of each rank; needs no order and leaves none. */
void trace_limit(trace *trace, size_t limit);

/* The records from `first` on that are one operation: how many. */
size_t trace_operation(const trace *trace, size_t first);

/* Who entered last, as a place among these `count`; -1: not known, as not all are here, times are not exact,
 * it is a message, or it was started before. */
int trace_last(const muster_record *records, size_t count);

/* How long a rank waited; of it, for the one that entered last. */
int64_t trace_waited_ns(const muster_record *record);
int64_t trace_waited_for_ns(const muster_record *record, const muster_record *last);

/* ---- phases.c ---- */

bool trace_add_phase(trace *trace, const trace_phase *phase);
/* Keeps the latest `limit` of each rank. */
void trace_limit_phases(trace *trace, size_t limit);
/* Orders them, and ends each where the next of its rank begins, the last one with the trace. */
void trace_sort_phases(trace *trace);
/* The phase that a rank was in then; NULL: in none. */
const trace_phase *trace_phase_at(const trace *trace, int rank, int64_t at_ns);

/* ---- sums.c ---- */

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

/* ---- table.c ---- */

/* The table of `muster trace`, its last line the diagnosis; false: no memory. */
bool trace_print(const trace *trace, bool all, FILE *to);

/* ---- diagnosis.c ---- */

/* One sentence: where time is lost, to whom, and what to try. */
void trace_diagnose(const trace *trace, const trace_sums *sums, char *text, size_t bytes);

/* ---- collect.c ---- */

/* Notes the command, and this machine and moment. */
void trace_describe(trace *trace, const char *command);

/* All that a job remembers now, through its arena's descriptor. */
bool trace_read_job(int fd, trace *trace);

typedef struct trace_collector {
    const char *path;
    const char *command; /* what is run, for those who read the file */
    size_t limit;
    FILE *file;
    int pid, lifeline; /* of the process that collects; it ends when the lifeline is closed */
} trace_collector;

/* Opens the file; false: it cannot be, and stderr says why. */
bool collector_open(trace_collector *collector, const char *path, const char *command, size_t limit);
/* A muster_arena_fn: starts the process. */
bool collector_start(int fd, void *collector);
/* Lets it write the file and end, and says on stderr what is in it; false: it could not. */
bool collector_finish(trace_collector *collector);

/* ---- file.c ---- */

/* Writes a sorted trace; false: errno says why. */
bool trace_write(const trace *trace, FILE *file);
/* Reads what trace_write has written; false: it is not that, and stderr says what it is. */
bool trace_read(const char *command, const char *path, trace *trace);

#endif
