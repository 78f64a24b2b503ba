/*
 * Where one way of moving data gives over to the next: thresholds as data, measured, in one table.
 * They change speed, never bits. Those that decide how many steps an operation has are the same on
 * every rank of a group; those about stores concern a rank alone, and leave to each policy
 * (shm/group/store_policy.h) what it finds out.
 */
#ifndef MST_TUNING_H
#define MST_TUNING_H

#include <stdbool.h>
#include <stddef.h>

typedef struct mst_tuning {
    /* alike on every rank */
    size_t whole_bytes_max; /* reductions up to here: one step, every rank reduces everything */
    bool shared; /* reductions are shared work (shm/group/chunks.h) instead, and barriers are led by it */
    size_t view_bytes_min; /* arena buffers from here on are read where they lie; takes a step more */
    /* Of shared work, which takes no step more, from the one to the other; larger work is not shared if all
     * of it lies there: everybody would meet each other's pages. */
    size_t shared_view_bytes_min, shared_view_bytes_max;
    /* What one rank stages for others that do nothing but copy it is cut into rounds, of so much at least, so
     * that they copy one while it stages the next. */
    size_t round_bytes_min;
    /* for a rank alone */
    size_t nontemporal_bytes_min; /* copies that a peer reads go by non-temporal stores from here on, where
                                     they do */
    bool nontemporal_fixed;       /* which they do without trials (shm/group/store_policy.h) */
    int nontemporal_dearer;       /* else unless they take so many times as long through it */
    /* Results from here on go by non-temporal stores, which they would not fit, unless they overwrite inputs,
     * which are in the cache already. */
    size_t stream_bytes_min;
} mst_tuning;

/* For a group of so many ranks; `oversubscribed`: they outnumber their CPUs. */
mst_tuning mst_tuning_for(int ranks, bool oversubscribed);

#endif
