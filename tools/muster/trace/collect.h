/* Collects a trace from a job's flight recorder: once, or all the time, by a process of its own. */
#ifndef MUSTER_TRACE_COLLECT_H
#define MUSTER_TRACE_COLLECT_H

#include <stdio.h>

#include "tools/muster/trace/trace.h"

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
/* Lets it write the file and end, and says on stderr what is in it; once we are asked to end, not 0, it has a
 * second. False: it could not. */
bool collector_finish(trace_collector *collector, int (*is_asked)(void));

#endif
