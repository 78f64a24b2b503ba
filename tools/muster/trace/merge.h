/* Puts traces of a job's hosts together, for muster trace and muster report. */
#ifndef MUSTER_TRACE_MERGE_H
#define MUSTER_TRACE_MERGE_H

#include "tools/muster/trace/trace.h"

/* Reads the files, one or of all hosts of a job, as one trace, sorted; false: stderr says why not, for
 * `muster COMMAND`. */
bool trace_read_all(const char *command, char **paths, int count, trace *trace);

#endif
