/*
 * A trace: the operations of a job, rank by rank. It is collected from a job's flight recorder (collect.h),
 * kept in a file that Perfetto and Chrome show (file.h), and shown as a table (table.h) or a page (report.c).
 *
 * All members' records of one collective are an operation. It begins for each when it enters; who enters
 * last makes the others wait. Phases are stretches of a rank's time that the program has named.
 */
#ifndef MUSTER_TRACE_TRACE_H
#define MUSTER_TRACE_TRACE_H

#include "muster/muster.h"
#include "tools/muster/trace/phases.h"

enum { TRACE_RANKS_MAX = 1024, TRACE_LIMIT = 20000 };

/* Which of a job's hosts it is of, each of which has a trace of its own; number 0: it has all ranks. */
typedef struct trace_part {
    uint64_t job;                    /* the same in all of them */
    int64_t began_ns;                /* at time 0 of the trace, by that host's monotonic clock, */
    int64_t ahead_ns;                /* and how far its calendar's clock is ahead of that */
    bool here[TRACE_RANKS_MAX];      /* by rank: it is of this part */
    int host[TRACE_RANKS_MAX];       /* by rank: the first rank of its host */
    char names[TRACE_RANKS_MAX][48]; /* by first rank of a host */
} trace_part;

/* What was run, where and when; cpus 0: none of it is known. */
typedef struct trace_job {
    char command[300], host[70], date[40];
    int cpus;
} trace_job;

typedef struct trace {
    muster_record *records; /* in the order of operations, once sorted */
    size_t count, room;
    trace_phases phases;
    trace_job job;
    trace_part *part;  /* NULL: it has all ranks of its job */
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

#endif
