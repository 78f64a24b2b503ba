/*
 * A trace: the operations of a job, rank by rank, and what can be said of them. Collected from a job's flight
 * recorder (collect.c), kept in a file that Perfetto and Chrome show (file.c), summed up as a table (table.c)
 * or drawn as a page (report.c).
 *
 * All members' records of one collective are an operation. It begins for each when it enters; who enters
 * last makes the others wait.
 */
#ifndef MUSTER_CLI_TRACE_H
#define MUSTER_CLI_TRACE_H

#include <stdio.h>

#include "muster/muster.h"

enum { TRACE_RANKS_MAX = 1024, TRACE_LIMIT = 20000 };

typedef struct trace {
    muster_record *records; /* in the order of operations, once sorted */
    size_t count, room;
    int ranks;         /* of the world */
    bool exact;        /* all times are */
    uint64_t lost;     /* overwritten before they could be read */
    uint64_t left_out; /* older than the latest so many of each rank */
} trace;

/* Adds one; false: no memory. */
bool trace_add(trace *trace, const muster_record *record);
void trace_free(trace *trace);

/* By group and operation, then by rank. */
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

/* ---- collect.c ---- */

/* All that a job remembers now, through its arena's descriptor. */
bool trace_read_job(int fd, trace *trace);

typedef struct trace_collector {
    const char *path;
    size_t limit;
    FILE *file;
    int pid, lifeline; /* of the process that collects; it ends when the lifeline is closed */
} trace_collector;

/* Opens the file; false: it cannot be, and stderr says why. */
bool collector_open(trace_collector *collector, const char *path, size_t limit);
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
