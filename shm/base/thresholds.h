/*
 * Thresholds that depend on the CPU: one list, with a value for each kind of CPU that has been measured and
 * one for all others. `muster tune` measures them on this machine (docs/PERFORMANCE.md says how a threshold
 * is added). They change speed, never bits.
 *
 * The creator of an arena decides them and publishes them in its header; all ranks take them from there. So
 * those that decide how ranks exchange data are the same on all, whatever file, variable or CPU each rank
 * sees (docs/decisions/0054-thresholds.md).
 */
#ifndef MST_THRESHOLDS_H
#define MST_THRESHOLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/port/cpu_kind.h"

#define MST_NEVER UINT64_MAX /* of a size from which on something is done: it is not done */

/* In place of a value: a quarter of the last cache, as on the CPU with 32 MiB where it was measured. */
#define MST_QUARTER_OF_CACHE 0

#define MST_KIB(n) ((uint64_t)(n) << 10)
#define MST_MIB(n) ((uint64_t)(n) << 20)

/*
 * ROW(name, least, most, Zen 4, Ice Lake, other): least and most bound what a file or a variable may say, so
 * that every value works; MST_NEVER is allowed where most is MST_NEVER.
 *
 * payload_bytes_max    what a rank stages in a collective travels beside its flag up to this size, else in a
 *                      slot; above 48 bytes that are two lines here, too, which on some CPUs take longer
 *                      than an arrival and a slot
 * whole_bytes_max_P    reductions of up to P ranks and up to this size: one round, every rank reduces
 *                      everything; it wins while a round costs more than the reading
 * view_bytes_min       arena buffers from this size on are read without staging, with one more round; by
 *                      more than two ranks, in messages and of started operations from 8 KiB on, if this is
 *                      less
 * round_bytes_min      what one rank stages and others only copy is divided into rounds of at least this size
 * one_copy_bytes_min, one_copy_bytes_min_oversubscribed, one_copy_bytes_max
 *                      private buffers of these sizes are read in their rank's process, without staging
 *                      (src/onehost/group/remote.h); the second one in oversubscribed groups
 * nontemporal_bytes_min, nontemporal_max_ratio
 *                      copies that a peer reads may be non-temporal from this size on, messages from 1280
 *                      bytes on if this is less, where ordinary stores take so many times as long
 *                      (shm/group/store_policy.h measures them)
 * libc_copy_bytes_min  other copies from this size on are libc's, by `rep movs`; below it by vectors
 * stream_bytes_min     results from this size on are written with non-temporal stores
 */
#define MST_THRESHOLDS(ROW)                                                                                  \
    ROW(payload_bytes_max, 16, 112, 48, 112, 48)                                                             \
    ROW(whole_bytes_max_2, MST_KIB(1), MST_NEVER, MST_NEVER, MST_NEVER, MST_NEVER)                           \
    ROW(whole_bytes_max_3, MST_KIB(1), MST_NEVER, MST_KIB(8), MST_KIB(8), MST_KIB(8))                        \
    ROW(whole_bytes_max_4, MST_KIB(1), MST_NEVER, MST_KIB(4), MST_KIB(4), MST_KIB(4))                        \
    ROW(whole_bytes_max_8, MST_KIB(1), MST_NEVER, MST_KIB(2), MST_KIB(2), MST_KIB(2))                        \
    ROW(whole_bytes_max_16, MST_KIB(1), MST_NEVER, MST_KIB(2), MST_KIB(2), MST_KIB(2))                       \
    ROW(whole_bytes_max_more, 512, MST_NEVER, MST_KIB(1), MST_KIB(1), MST_KIB(1))                            \
    ROW(view_bytes_min, MST_KIB(4), MST_MIB(1), MST_KIB(5), MST_KIB(8), MST_KIB(8))                          \
    ROW(round_bytes_min, MST_KIB(4), MST_MIB(64), MST_KIB(64), MST_KIB(64), MST_KIB(64))                     \
    ROW(one_copy_bytes_min, 1, MST_NEVER, MST_NEVER, MST_NEVER, MST_NEVER)                                   \
    ROW(one_copy_bytes_min_oversubscribed, 1, MST_NEVER, MST_NEVER, MST_NEVER, MST_NEVER)                    \
    ROW(one_copy_bytes_max, 1, MST_NEVER, MST_NEVER, MST_NEVER, MST_NEVER)                                   \
    ROW(nontemporal_bytes_min, 1, MST_NEVER, 1025, MST_KIB(64), MST_KIB(2))                                  \
    ROW(nontemporal_max_ratio, 1, 100, 4, 4, 4)                                                              \
    ROW(libc_copy_bytes_min, MST_KIB(2), MST_NEVER, MST_NEVER, MST_KIB(2), MST_NEVER)                        \
    ROW(stream_bytes_min, MST_KIB(256), MST_NEVER, MST_QUARTER_OF_CACHE, MST_QUARTER_OF_CACHE,               \
        MST_QUARTER_OF_CACHE)

#define MST_THRESHOLD_FIELD(name, ...) uint64_t name;
typedef struct mst_thresholds {
    MST_THRESHOLDS(MST_THRESHOLD_FIELD)
} mst_thresholds;

#define MST_THRESHOLD_COUNT ((int)(sizeof(mst_thresholds) / sizeof(uint64_t)))

/* The column for a CPU: "zen4", "icelake" or "other". */
const char *mst_thresholds_column(const mst_cpu_kind *cpu);

/* The column's values, for a CPU with such a last cache, and its name; NULL: there is no such column. */
const char *mst_thresholds_known(const char *column, uint64_t last_cache_bytes, mst_thresholds *thresholds);

/* By number, for files, messages and tests. */
typedef struct mst_threshold_row {
    const char *name;
    uint64_t least, most;
} mst_threshold_row;

const mst_threshold_row *mst_threshold_row_of(int number); /* NULL after the last */
uint64_t *mst_threshold_at(mst_thresholds *thresholds, int number);

bool mst_threshold_makes_sense(const mst_threshold_row *row, uint64_t value);

/* Whether all values are within their bounds: to be asked of what was read from an arena. */
bool mst_thresholds_make_sense(const mst_thresholds *thresholds);

#endif
