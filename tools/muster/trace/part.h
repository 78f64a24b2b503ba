/* What a trace's file says of the host that it is of, and of the others. */
#ifndef MUSTER_TRACE_PART_H
#define MUSTER_TRACE_PART_H

#include <stdio.h>

#include "tools/muster/trace/trace.h"

/* A line for the part, and one for each rank; none where the trace has all ranks. */
void part_write(const trace *trace, int64_t begin_ns, FILE *file);

/* Reads the line, if it is one of these; false: it is damaged. */
bool part_parse(const char *line, trace *trace);

#endif
