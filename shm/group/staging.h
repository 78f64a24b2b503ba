/*
 * Staging: the bytes through which private buffers travel. Each member has some, which only it writes: two
 * small slots, used in turn, and a ring. Who stages little at a round does so in the slot whose turn it is,
 * who stages much writes the ring behind what it wrote there last. All turn the slots at the same rounds and
 * move on in the ring by the same number of bytes, so each knows where the others' bytes are.
 *
 * What is written for round s must stay until all have read it, which they have when they arrive at
 * round s + 1 (barrier.h): so the chunks of two rounds that follow each other must not overlap. A chunk
 * of the ring is at most a quarter of it, and the ring is begun anew when less than a quarter is left, at
 * which time the last chunk lies in its second half.
 *
 * Why a ring: storing to a line that a peer has read lately takes its cache's answer. In a ring larger than
 * that cache the line has left it. Why slots all the same: a few lines that are used over and over are
 * faster than a ring, whose every line is a miss, and where the peer's CPU prefetches the next ones just when
 * we write them; and the slots of all members lie side by side, so that many members meet few pages. Where
 * ranks share CPUs they share caches too, and each round costs several switches of a CPU: there the ring is
 * two halves, used in turn, for half as many rounds.
 */
#ifndef MST_STAGING_H
#define MST_STAGING_H

#include "shm/group/subarena.h"
#include "src/pure/atomic.h"

/* Which part of staging a round uses; the same on all ranks. */
typedef enum mst_staging_part { MST_STAGING_RING, MST_STAGING_SMALL } mst_staging_part;

typedef struct mst_staging {
    const mst_subarena *subarena;
    bool oversubscribed; /* members share CPUs */
    /* Where in the part the chunks of the last round begin, and those of the next one. */
    size_t last[2];
    size_t next[2];
} mst_staging;

static inline size_t mst_staging_ring_bytes(const mst_staging *staging)
{
    return (size_t)staging->subarena->attachment->geometry.staging_bytes;
}

/* Of a slot; where CPUs are for all, a ring is faster with more. Both slots are in the same page then. */
static inline size_t mst_staging_small_max(const mst_staging *staging)
{
    return staging->oversubscribed ? MST_SMALL_BYTES : MST_SMALL_BYTES / 2;
}

/* The most that can be staged for one round. */
static inline size_t mst_staging_chunk_max(const mst_staging *staging, mst_staging_part part)
{
    if (part == MST_STAGING_SMALL)
        return mst_staging_small_max(staging);
    return mst_staging_ring_bytes(staging) / (staging->oversubscribed ? 2 : 4) / MST_LINE * MST_LINE;
}

/* Before the first round. */
static inline void mst_staging_begin(mst_staging *staging)
{
    staging->next[MST_STAGING_SMALL] = staging->next[MST_STAGING_RING] = 0;
}

static inline unsigned char *mst_staging_of(const mst_staging *staging, mst_staging_part part, int rank)
{
    const mst_subarena *subarena = staging->subarena;

    return part == MST_STAGING_SMALL ? subarena->slots[rank] : subarena->staging[rank];
}

/* Where we write for the next round. */
static inline unsigned char *mst_staging_next(const mst_staging *staging, mst_staging_part part)
{
    return mst_staging_of(staging, part, staging->subarena->rank) + staging->next[part];
}

static inline void mst_staging_prefetch(const mst_staging *staging, mst_staging_part part, size_t bytes)
{
    mst_prefetch_for_store(mst_staging_next(staging, part), bytes);
}

/* Where we have written for the last one, and where `rank` has. */
static inline unsigned char *mst_staging_own(const mst_staging *staging, mst_staging_part part)
{
    return mst_staging_of(staging, part, staging->subarena->rank) + staging->last[part];
}

static inline const unsigned char *mst_staging_last(const mst_staging *staging, mst_staging_part part,
                                                    int rank)
{
    return mst_staging_of(staging, part, rank) + staging->last[part];
}

/* A round is made, for which the member that staged most staged `bytes` in that part. */
static inline void mst_staging_turn(mst_staging *staging, mst_staging_part part, size_t bytes)
{
    size_t at = staging->next[part], chunk_max = mst_staging_chunk_max(staging, part);
    size_t behind = (at + bytes + MST_LINE - 1) / MST_LINE * MST_LINE;

    staging->last[part] = at;
    if (part == MST_STAGING_SMALL || staging->oversubscribed)
        staging->next[part] = at ? 0 : chunk_max;
    else
        staging->next[part] = behind + chunk_max <= mst_staging_ring_bytes(staging) ? behind : 0;
}

#endif
