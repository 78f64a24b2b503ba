/* Phases: what ranks say that they do, from one mark to the rank's next. */
#ifndef MUSTER_TRACE_PHASES_H
#define MUSTER_TRACE_PHASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stretch of a rank's time that has a name. */
typedef struct trace_phase {
    int rank;
    int64_t begin_ns, end_ns; /* end 0: until the rank's next one */
    char name[32];            /* "": none, before they are sorted */
} trace_phase;

typedef struct trace_phases {
    trace_phase *list; /* by rank and time, once sorted */
    size_t count, room;
} trace_phases;

bool phases_add(trace_phases *phases, const trace_phase *phase); /* false: no memory */

/* Keeps the latest `limit` of each rank. */
void phases_limit(trace_phases *phases, size_t limit);

/* Orders them, and ends each where the next of its rank begins, the last one at `end_ns`. */
void phases_sort(trace_phases *phases, int64_t end_ns);

/* The phase that a rank was in then; NULL: in none. */
const trace_phase *phases_at(const trace_phases *phases, int rank, int64_t at_ns);

#endif
