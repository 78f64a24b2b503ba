/* A trace as a table. */
#ifndef MUSTER_TRACE_TABLE_H
#define MUSTER_TRACE_TABLE_H

#include <stdio.h>

#include "tools/muster/trace/trace.h"

/* The table of `muster trace`, its last line the diagnosis; false: no memory. */
bool trace_print(const trace *trace, bool all, FILE *to);

#endif
