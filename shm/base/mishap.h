/*
 * Mishaps that a user asks for, to see whether a program survives them: at its N-th operation a rank kills or
 * stops itself, is late, or gets a wrong bit. Which rank and operation is the text of MUSTER_FAULT.
 *
 * Used by a rank; its threads count together.
 */
#ifndef MST_MISHAP_H
#define MST_MISHAP_H

#include <stddef.h>

#include "src/pure/log.h"
#include "src/pure/atomic.h"

#define MST_MISHAPS_MAX 16

typedef enum mst_mishap_kind {
    MST_MISHAP_KILL,
    MST_MISHAP_STOP,
    MST_MISHAP_DELAY,
    MST_MISHAP_FLIP
} mst_mishap_kind;

typedef struct mst_mishap {
    uint64_t operation; /* at which one; from 1 */
    mst_mishap_kind kind;
    int64_t delay_ns;
} mst_mishap;

typedef struct mst_mishaps {
    mst_mishap all[MST_MISHAPS_MAX]; /* of this rank */
    int count;
    _Atomic uint64_t operations;
    _Atomic uint32_t flips; /* that are due */
} mst_mishaps;

/* Takes this rank's mishaps from a text for all ranks, "rank=2:op=7:kill,rank=0:op=3:delay=50ms"; NULL: there
 * are none. INVALID says what was expected. */
muster_status mst_mishaps_parse(const char *text, int rank, mst_mishaps *mishaps);

void mst_mishaps_strike(mst_mishaps *mishaps, const mst_log *log);
void mst_mishaps_spoil(mst_mishaps *mishaps, const mst_log *log, void *result, size_t bytes);

/* An operation begins. */
static inline void mst_mishap_begin(mst_mishaps *mishaps, const mst_log *log)
{
    if (__builtin_expect(mishaps->count > 0, false))
        mst_mishaps_strike(mishaps, log);
}

/* And has given the rank a result. */
static inline void mst_mishap_end(mst_mishaps *mishaps, const mst_log *log, void *result, size_t bytes)
{
    if (__builtin_expect(mishaps->count > 0, false))
        mst_mishaps_spoil(mishaps, log, result, bytes);
}

#endif
