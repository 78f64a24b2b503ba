/* The diagnosis of a trace: where the time of a job is lost. */
#ifndef MUSTER_TRACE_DIAGNOSIS_H
#define MUSTER_TRACE_DIAGNOSIS_H

#include "tools/muster/trace/sums.h"

/* One sentence: where time is lost, to whom, and what to try. */
void trace_diagnose(const trace *trace, const trace_sums *sums, char *text, size_t bytes);

#endif
