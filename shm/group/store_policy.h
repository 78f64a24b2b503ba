/*
 * How bytes are stored that another CPU reads next: through the cache, or by non-temporal stores, which go
 * around it.
 *
 * To store to a line that another CPU has read lately waits for that CPU's cache: between CPUs of a slow pair
 * a dozen times as long as to use non-temporal stores. In a fast pair it does not, and what was stored
 * through the cache is read from there, two or three times as fast as from memory. How fast a pair is the
 * reported topology does not tell, and it changes while a program runs: the kernel moves ranks, and a host
 * moves virtual CPUs. So the copies themselves find out. Now and then a few of about one size go either way
 * in turn and are timed; the others of that size go the way that won. Trials become rarer while nothing
 * changes, and when the way of one size does, the others are tried soon. The first copies of a size go the
 * way of the size next to it, and are not timed: stores to what no other CPU has read yet tell nothing.
 *
 * A policy belongs to bytes that are written over and over by one thread: a group's staging, a channel.
 * Costs a comparison and a count per copy; a trial two looks at the clock per copy, and its copies that
 * go the slower way. Speed is all that it decides.
 */
#ifndef MST_STORE_POLICY_H
#define MST_STORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/pure/atomic.h"

/* What is known beforehand. */
typedef struct mst_store_plan {
    size_t nontemporal_bytes_min; /* smaller copies go through the cache */
    bool fixed;                   /* larger ones by non-temporal stores, without trials */
    int dearer; /* a copy for a reader goes through the cache unless that takes the writer so many times as
                   long; back again, when it takes seven tenths of that, or less */
} mst_store_plan;

/* Whose time it is about: the reader of a copy gains by finding it in a cache, which the writer does not
 * see. */
typedef enum mst_store_aim { MST_STORE_POLICY_FOR_READER, MST_STORE_POLICY_FOR_WRITER } mst_store_aim;

/* Copies of about one size: of 2 KiB, less than 4, and so on; the last are of 256 KiB and more. */
#define MST_STORE_POLICY_SIZES 8
#define MST_STORE_POLICY_BYTES_LOG2 11

typedef struct mst_store_size {
    _Atomic uint32_t nontemporal; /* 1: the way of copies that are not on trial; another thread may look */
    bool met;                     /* a copy of it was made */
    bool decided;                 /* a trial of it is over */
    bool doubted;                 /* by the last trial: another like it changes the way */
    uint16_t rest;                /* copies until the next trial */
    uint16_t rest_last;           /* as many were between the last two */
    uint16_t tried; /* copies of the trial under way, and what they took per byte: all, and the longest */
    int64_t sum_ps[2];
    int64_t longest_ps[2];
} mst_store_size;

typedef struct mst_store_policy {
    mst_store_plan plan;
    mst_store_aim aim;
    int64_t began_ns; /* the copy that is being timed; 0: none is */
    mst_store_size sizes[MST_STORE_POLICY_SIZES];
} mst_store_policy;

void mst_store_init(mst_store_policy *policy, mst_store_plan plan, mst_store_aim aim);

/* Before its first copy: begins with the ways that another has found, which may be in use. */
void mst_store_inherit(mst_store_policy *policy, const mst_store_policy *from);

/* Begins a copy on trial, or the first of its size: which way it goes; and ends it. */
bool mst_store_try(mst_store_policy *policy, size_t bytes);
void mst_store_tried(mst_store_policy *policy, size_t bytes);

static inline int mst_store_size_of(size_t bytes)
{
    int log2 = 63 - __builtin_clzll(bytes | 1) - MST_STORE_POLICY_BYTES_LOG2;

    return log2 < 0 ? 0 : log2 < MST_STORE_POLICY_SIZES ? log2 : MST_STORE_POLICY_SIZES - 1;
}

/* Whether a copy should go by non-temporal stores, which is made at once, and followed by mst_store_end. */
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

/* The same for what is not timed, since it is more than a copy. */
static inline bool mst_store_is_nontemporal(const mst_store_policy *policy, size_t bytes)
{
    return bytes >= policy->plan.nontemporal_bytes_min &&
           (policy->plan.fixed || mst_load32_rlx(&policy->sizes[mst_store_size_of(bytes)].nontemporal));
}

#endif
