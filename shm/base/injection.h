/*
 * Injected faults that a user asks for, to test whether a program survives them: at its N-th operation a rank
 * kills or stops itself, is delayed, or gets a wrong bit. MUSTER_FAULT says which rank, which operation and
 * what.
 *
 * One per rank; all its threads count their operations together.
 */
#ifndef MST_INJECTION_H
#define MST_INJECTION_H

#include <stddef.h>

#include "shm/base/atomic.h"
#include "shm/base/log.h"

#define MST_INJECTIONS_MAX 16

typedef enum mst_injection_kind {
    MST_INJECTION_KILL,
    MST_INJECTION_STOP,
    MST_INJECTION_DELAY,
    MST_INJECTION_FLIP
} mst_injection_kind;

typedef struct mst_injection {
    uint64_t operation; /* the operation at which it happens; from 1 */
    mst_injection_kind kind;
    int64_t delay_ns;
} mst_injection;

typedef struct mst_injections {
    mst_injection all[MST_INJECTIONS_MAX]; /* those of this rank */
    int count;
    _Atomic uint64_t operations;
    _Atomic uint32_t flips; /* flips that are due */
} mst_injections;

/* Parses this rank's injected faults from the text for all ranks, "rank=2:op=7:kill,rank=0:op=3:delay=50ms";
 * NULL: none. The message of INVALID says what was expected. */
muster_status mst_injections_parse(const char *text, int rank, mst_injections *injections);

void mst_injections_strike(mst_injections *injections, const mst_log *log);
void mst_injections_spoil(mst_injections *injections, const mst_log *log, void *result, size_t bytes);

/* To be called when an operation begins. */
static inline void mst_injection_begin(mst_injections *injections, const mst_log *log)
{
    if (__builtin_expect(injections->count > 0, false))
        mst_injections_strike(injections, log);
}

/* To be called when an operation has produced a result. */
static inline void mst_injection_end(mst_injections *injections, const mst_log *log, void *result,
                                     size_t bytes)
{
    if (__builtin_expect(injections->count > 0, false))
        mst_injections_spoil(injections, log, result, bytes);
}

#endif
