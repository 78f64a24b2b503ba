/*
 * Thresholds between the ways of moving data, as one group uses them. They are the arena's (thresholds.h) for
 * the group's number of ranks. An oversubscribed group has others, because its cost is context switches,
 * which do not depend on the kind of CPU. Thresholds change speed, never bits.
 */
#ifndef MST_TUNING_H
#define MST_TUNING_H

#include <stdbool.h>
#include <stddef.h>

#include "shm/base/thresholds.h"

typedef struct mst_tuning {
    /* equal on every rank */
    size_t payload_bytes_max; /* what a rank stages travels beside its arrival's flag up to this size */
    size_t whole_bytes_max;   /* reductions up to this size: one round, every rank reduces everything */
    bool shared; /* reductions are shared work (shm/group/chunks.h) instead, and barriers use it to finish
                    early */
    size_t view_bytes_min; /* arena buffers from this size on are read without staging, with one more round */
    size_t lent_bytes_min; /* the same of messages and started operations, whose buffers stay with a peer */
    /* The same for shared work, which needs no further round, from the one size to the other. Larger
     * reductions entirely in the arena are not shared: every rank would touch pages of all the others. */
    size_t shared_view_bytes_min, shared_view_bytes_max;
    /* What one rank stages and the others only copy is divided into rounds of at least this size, so that the
     * others copy one while it stages the next. */
    size_t round_bytes_min;
    /* Private buffers of these sizes are read where they are (src/onehost/group/remote.h); SIZE_MAX: none. */
    size_t one_copy_bytes_min, one_copy_bytes_max;
    /* for one rank; the store policies (shm/group/store_policy.h) measure the rest */
    size_t nontemporal_bytes_min; /* copies that a peer reads may be non-temporal from this size on */
    bool nontemporal_fixed;       /* they always are, without trials (shm/group/store_policy.h) */
    int nontemporal_max_ratio;    /* otherwise only if ordinary stores take this many times as long */
    size_t libc_copy_bytes_min;   /* other copies from this size on are libc's, by `rep movs` */
    /* Results from this size on are written with non-temporal stores, since no cache would hold them; except
     * over inputs, which are in the cache already. */
    size_t stream_bytes_min;
} mst_tuning;

/* For a group of `ranks` ranks; `oversubscribed`: more than their CPUs. */
mst_tuning mst_tuning_for(const mst_thresholds *thresholds, int ranks, bool oversubscribed);

#endif
