/*
 * Chooses how bytes that another CPU reads next are stored: by ordinary stores, into the cache, or by
 * non-temporal stores, into memory.
 *
 * An ordinary store to a line that another CPU has read recently waits for that CPU's cache. In a slow pair
 * it takes a dozen times as long as a non-temporal store. In a fast pair it does not wait, and the reader
 * then gets the bytes from a cache, two or three times as fast as from memory. The reported topology does not
 * tell how fast a pair is, and that changes while a program runs: the kernel migrates ranks, and a host
 * migrates virtual CPUs. So the copies themselves are measured. Now and then a few copies of about one size
 * alternate between the two kinds and are timed; the other copies of that size use the kind that won. Trials
 * become rarer while nothing changes, and when the kind of one size changes, the other sizes are tried soon.
 * The first copies of a size use the kind of the nearest size, and are not timed: stores to lines that no
 * other CPU has read yet tell nothing.
 *
 * A policy belongs to memory that one thread writes over and over: a group's staging, a channel. Costs a
 * comparison and a count per copy; a trial costs two clock reads per copy, a wait for the stores of a short
 * one, and some copies of the slower kind. It affects only speed.
 */
#ifndef MST_STORE_POLICY_H
#define MST_STORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/base/atomic.h"

/* What is known in advance. */
typedef struct mst_store_plan {
    size_t nontemporal_bytes_min; /* smaller copies use ordinary stores */
    bool fixed;                   /* all larger ones are non-temporal, without trials */
    int max_ratio; /* of the writer's time with ordinary stores to that with non-temporal ones: above it a
                      copy for a reader is non-temporal, until the ratio is at most seven tenths of this; of
                      copies below 16 KiB a part of this, as store_policy.c has it */
} mst_store_plan;

/* Whose time is minimised. The reader gains by finding a copy in a cache, which the writer cannot measure. */
typedef enum mst_store_aim { MST_STORE_POLICY_FOR_READER, MST_STORE_POLICY_FOR_WRITER } mst_store_aim;

/* Size classes of copies: 1 KiB and up to 2 KiB, and so on; the last is 256 KiB and more. */
#define MST_STORE_POLICY_SIZES 9
#define MST_STORE_POLICY_BYTES_LOG2 10

typedef struct mst_store_size {
    _Atomic uint32_t nontemporal; /* 1: the kind of copies that are not on trial; read by other threads */
    bool met;                     /* a copy of this size was made */
    bool decided;                 /* a trial has ended */
    bool doubted;                 /* by the last trial: another like it changes the kind */
    uint16_t rest;                /* copies until the next trial */
    uint16_t rest_last;           /* copies between the last two trials */
    uint16_t tried;               /* copies of the current trial, and their time per byte: sum, and longest */
    int64_t sum_ps[2];
    int64_t longest_ps[2];
} mst_store_size;

typedef struct mst_store_policy {
    mst_store_plan plan;
    mst_store_aim aim;
    int64_t began_ns;         /* of the copy that is being timed; 0: none */
    _Atomic uint64_t drained; /* copies whose stores were waited for */
    mst_store_size sizes[MST_STORE_POLICY_SIZES];
} mst_store_policy;

void mst_store_init(mst_store_policy *policy, mst_store_plan plan, mst_store_aim aim);

/* Before its first copy: starts with the kinds that another policy, possibly in use, has found. */
void mst_store_inherit(mst_store_policy *policy, const mst_store_policy *from);

/* Starts a copy on trial, or the first of its size, and returns whether it is non-temporal; and ends it. */
bool mst_store_try(mst_store_policy *policy, size_t bytes);
void mst_store_tried(mst_store_policy *policy, size_t bytes);

static inline int mst_store_size_of(size_t bytes)
{
    int log2 = 63 - __builtin_clzll(bytes | 1) - MST_STORE_POLICY_BYTES_LOG2;

    return log2 < 0 ? 0 : log2 < MST_STORE_POLICY_SIZES ? log2 : MST_STORE_POLICY_SIZES - 1;
}

/* Whether a copy should be non-temporal. The copy must follow at once, and then mst_store_end. */
static inline bool mst_store_begin(mst_store_policy *policy, size_t bytes)
{
    if (bytes < policy->plan.nontemporal_bytes_min || policy->plan.fixed)
        return bytes >= policy->plan.nontemporal_bytes_min;

    mst_store_size *size = &policy->sizes[mst_store_size_of(bytes)];
    if (size->rest == 0)
        return mst_store_try(policy, bytes);
    size->rest--;
    return mst_load32_rlx(&size->nontemporal);
}

static inline void mst_store_end(mst_store_policy *policy, size_t bytes)
{
    if (policy->began_ns)
        mst_store_tried(policy, bytes);
}

/* The same for stores that are not timed, since they are part of more than a copy. */
static inline bool mst_store_is_nontemporal(const mst_store_policy *policy, size_t bytes)
{
    return bytes >= policy->plan.nontemporal_bytes_min &&
           (policy->plan.fixed || mst_load32_rlx(&policy->sizes[mst_store_size_of(bytes)].nontemporal));
}

#endif
