/*
 * Kernels: reduce n sources into one destination, in rank order, in one pass.
 *
 * kernels.c is compiled once per instruction-set level (CMakeLists.txt lists them) into a table of one
 * function per dtype and op; dispatch.c selects the best table that this CPU can run. Every table gives the
 * same bits: no fused multiply-add, fixed operand order, integer conversions.
 */
#ifndef MST_REDUCE_H
#define MST_REDUCE_H

#include "muster/muster.h"

/* The destination may be one of the sources; any other overlap is forbidden. Any alignment. A single source
 * of floats is copied, including signalling NaNs. */
typedef void (*mst_reduce_fn)(void *destination, const void *const *sources, int source_count, size_t count);

/* The sum of all sources, each multiplied by its factor: one element of the dtype, at any address; that of
 * source s is at factors + s * stride. The same rules. */
typedef void (*mst_reduce_scaled_fn)(void *destination, const void *const *sources, const void *factors,
                                     size_t stride, int source_count, size_t count);

typedef struct mst_kernels {
    const char *isa;
    /* NULL where the op does not work with the dtype (mst_op_works). */
    mst_reduce_fn reduce[MUSTER_DTYPE_COUNT][MUSTER_OP_COUNT];
    mst_reduce_scaled_fn reduce_scaled[MUSTER_DTYPE_COUNT];
    /* memcpy with ordinary stores, for bytes that another CPU has written, or reads next. */
    void (*copy)(void *destination, const void *source, size_t bytes);
    /* The same for some KiB whose lines are in no cache of this CPU: `give` prefetches those that it will
     * write, and `take` those that it will read, across the ends of pages, where CPUs do not do it. */
    void (*give)(void *destination, const void *source, size_t bytes);
    void (*take)(void *destination, const void *source, size_t bytes);
    /* memcpy with non-temporal stores, where the CPU has them: for bytes that another CPU reads next, or that
     * nobody reads soon. Ordered before all later stores. */
    void (*stream)(void *destination, const void *source, size_t bytes);
} mst_kernels;

/* The table called `isa`, or for NULL the fastest that this CPU can run; NULL: there is no such table in this
 * build, or this CPU cannot run it. */
const mst_kernels *mst_kernels_find(const char *isa);

/* Names of the tables in this build, slowest first; NULL after the last. "scalar" is the reference. */
const char *mst_kernels_name(int index);

#endif
