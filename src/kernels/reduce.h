/*
 * Kernels: n sources into one destination, reduced in rank order, in one pass.
 *
 * kernels.c is compiled once per instruction-set level (CMakeLists.txt lists them) into a table of
 * one function per dtype and op; dispatch.c picks the best table that this CPU can run. Every table
 * gives the same bits: no fused multiply-add, fixed operand order, conversions in integers.
 */
#ifndef MST_REDUCE_H
#define MST_REDUCE_H

#include "muster/muster.h"

/* destination may be one of the sources; any other overlap is not allowed. Any alignment. Of one source
 * floats are copied, signalling NaNs too. */
typedef void (*mst_reduce_fn)(void *destination, const void *const *sources, int source_count, size_t count);

typedef struct mst_kernels {
    const char *isa;
    mst_reduce_fn reduce[MUSTER_DTYPE_COUNT][MUSTER_OP_COUNT];
    /* memcpy through the cache, made for bytes that another CPU wrote, or reads next. */
    void (*copy)(void *destination, const void *source, size_t bytes);
    /* memcpy by non-temporal stores, where the CPU can: for bytes that are next read by another CPU, or not
     * soon. Ordered before whatever is stored next. */
    void (*stream)(void *destination, const void *source, size_t bytes);
} mst_kernels;

/* The table called `isa`, or for NULL the fastest that this CPU can run; NULL: no such table here,
 * or this CPU cannot run it. */
const mst_kernels *mst_kernels_find(const char *isa);

/* Names of the tables in this build, slowest first; NULL past the end. "scalar" is the reference. */
const char *mst_kernels_name(int index);

#endif
