/*
 * Through the cache or around it: how bytes are stored that another CPU reads next.
 *
 * To store to a line that another CPU has read lately waits for that CPU's cache: between far CPUs a dozen
 * times as long as to store around the caches. Between near ones it does not, and what was stored through
 * the cache is read from there, two or three times as fast as from memory. Which CPUs are near the reported
 * topology does not tell, and it changes while a program runs: the kernel moves ranks, and a host moves
 * virtual CPUs. So the copies themselves find out. Now and then a few of about one size
 * go either way in turn and are timed; the others of that size go the way that won. Trials become rarer while
 * nothing changes, and when the way of one size does, the others are tried soon. The first copies of a size
 * go the way of the size next to it, and are not timed: stores to what no other CPU has read yet tell
 * nothing.
 *
 * A route belongs to bytes that are written over and over by one thread: a group's staging, a channel.
 * Costs a comparison and a count per copy; a trial two looks at the clock per copy, and its copies that
 * go the slower way. Speed is all that it decides.
 */
#ifndef MST_ROUTE_H
#define MST_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/pure/atomic.h"

/* What is known beforehand. */
typedef struct mst_route_plan {
    size_t around_bytes_min; /* smaller copies go through the cache */
    bool fixed;              /* larger ones around it, without trials */
    int dearer; /* a copy for a reader goes through the cache unless that takes the writer so many times as
                   long; back again, when it takes seven tenths of that, or less */
} mst_route_plan;

/* Whose time it is about: the reader of a copy gains by finding it in a cache, which the writer does not
 * see. */
typedef enum mst_route_aim { MST_ROUTE_FOR_READER, MST_ROUTE_FOR_WRITER } mst_route_aim;

/* Copies of about one size: of 2 KiB, less than 4, and so on; the last are of 256 KiB and more. */
#define MST_ROUTE_SIZES 8
#define MST_ROUTE_BYTES_LOG2 11

typedef struct mst_route_size {
    _Atomic uint32_t around; /* 1: the way of copies that are not on trial; another thread may look */
    bool met;                /* a copy of it was made */
    bool decided;            /* a trial of it is over */
    bool doubted;            /* by the last trial: another like it changes the way */
    uint16_t rest;           /* copies until the next trial */
    uint16_t rest_last;      /* as many were between the last two */
    uint16_t tried; /* copies of the trial under way, and what they took per byte: all, and the longest */
    int64_t sum_ps[2];
    int64_t longest_ps[2];
} mst_route_size;

typedef struct mst_route {
    mst_route_plan plan;
    mst_route_aim aim;
    int64_t began_ns; /* the copy that is being timed; 0: none is */
    mst_route_size sizes[MST_ROUTE_SIZES];
} mst_route;

void mst_route_init(mst_route *route, mst_route_plan plan, mst_route_aim aim);

/* Before its first copy: begins with the ways that another has found, which may be in use. */
void mst_route_inherit(mst_route *route, const mst_route *from);

/* Begins a copy on trial, or the first of its size: which way it goes; and ends it. */
bool mst_route_try(mst_route *route, size_t bytes);
void mst_route_tried(mst_route *route, size_t bytes);

static inline int mst_route_size_of(size_t bytes)
{
    int log2 = 63 - __builtin_clzll(bytes | 1) - MST_ROUTE_BYTES_LOG2;

    return log2 < 0 ? 0 : log2 < MST_ROUTE_SIZES ? log2 : MST_ROUTE_SIZES - 1;
}

/* Whether a copy should go around the cache, which is made at once, and followed by mst_route_end. */
static inline bool mst_route_begin(mst_route *route, size_t bytes)
{
    if (bytes < route->plan.around_bytes_min || route->plan.fixed)
        return bytes >= route->plan.around_bytes_min;

    mst_route_size *size = &route->sizes[mst_route_size_of(bytes)];
    if (size->rest == 0)
        return mst_route_try(route, bytes);
    size->rest--;
    return mst_load32_rlx(&size->around);
}

static inline void mst_route_end(mst_route *route, size_t bytes)
{
    if (route->began_ns)
        mst_route_tried(route, bytes);
}

/* The same for what is not timed, since it is more than a copy. */
static inline bool mst_route_goes_around(const mst_route *route, size_t bytes)
{
    return bytes >= route->plan.around_bytes_min &&
           (route->plan.fixed || mst_load32_rlx(&route->sizes[mst_route_size_of(bytes)].around));
}

#endif
