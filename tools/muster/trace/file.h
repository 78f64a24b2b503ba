/* The file of a trace, which Perfetto and Chrome show, too. */
#ifndef MUSTER_TRACE_FILE_H
#define MUSTER_TRACE_FILE_H

#include <stdio.h>

#include "tools/muster/trace/trace.h"

/* Writes a sorted trace; false: errno says why. */
bool trace_write(const trace *trace, FILE *file);
/* Reads what trace_write has written; false: it is not that, and stderr says what it is. */
bool trace_read(const char *command, const char *path, trace *trace);

#endif
