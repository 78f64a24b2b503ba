/*
 * Staging: the memory through which private buffers are copied. Each member has its own, which only it
 * writes: two small slots, used alternately, and a ring. For a round a member stages a small amount in the
 * current slot, or a large amount in the ring after what it wrote there last. All members switch slots at the
 * same rounds and advance the ring by the same number of bytes, so each knows where the others' bytes are.
 *
 * What is written for round s must stay until all have read it, which they have when they arrive at round s +
 * 1 (barrier.h): so the ranges of two consecutive rounds must not overlap. A range is at most a quarter of
 * the ring, and the ring restarts at its beginning when less than a quarter is left, at which time the last
 * range is in its second half.
 *
 * The ring is claimed when a group first needs it. In that operation each member claims its own and offers it
 * to the others in the payload of a round of its own, which comes first: so all know where all rings are, or
 * that one member has no memory for it, before anything is staged.
 *
 * Why a ring: a store to a line that a peer has read recently must wait for that peer's cache. In a ring
 * larger than that cache the line has been evicted. Why slots nevertheless: a few lines that are used over
 * and over are faster than a ring, where every line is a miss and the peer's CPU prefetches the next lines
 * just when we write them; and the slots of all members are adjacent, so that many members touch few pages.
 * Where ranks share CPUs they share caches too, and each round costs several context switches: there a
 * round uses half of the ring, in turn, so that there are half as many rounds.
 */
#ifndef MST_STAGING_H
#define MST_STAGING_H

#include "shm/base/atomic.h"
#include "shm/group/subarena.h"

/* Which part of staging a round uses; the same on all ranks. */
typedef enum mst_staging_part { MST_STAGING_RING, MST_STAGING_SMALL } mst_staging_part;

typedef struct mst_staging {
    const mst_subarena *subarena;
    bool oversubscribed; /* members share CPUs */
    /* Offsets in each part of the range of the last round, and of the next one. */
    size_t last[2];
    size_t next[2];
} mst_staging;

static inline size_t mst_staging_ring_bytes(const mst_staging *staging)
{
    return (size_t)staging->subarena->attachment->geometry.staging_bytes;
}

/* Capacity of a slot: all of it where ranks are oversubscribed, else half, because the ring is faster for
 * more bytes than that. With half, both slots are in the same page. */
static inline size_t mst_staging_small_max(const mst_staging *staging)
{
    return staging->oversubscribed ? MST_SMALL_BYTES : MST_SMALL_BYTES / 2;
}

/* Max bytes staged per rank for one round. */
static inline size_t mst_staging_chunk_max(const mst_staging *staging, mst_staging_part part)
{
    if (part == MST_STAGING_SMALL)
        return mst_staging_small_max(staging);
    return mst_staging_ring_bytes(staging) / (staging->oversubscribed ? 2 : 4) / MST_LINE * MST_LINE;
}

/* Claims our ring, unless we have it. Returns what to offer to the others: where it is, and the status that
 * the claim ended with. */
mst_staging_offer mst_staging_claim(mst_subarena *subarena);

/* Notes where a member's ring is; false: not in its heap. */
bool mst_staging_place(mst_subarena *subarena, int rank, uint64_t offset);

/* To be called before the first round. */
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

/* Where we wrote for the last round, and where `rank` wrote. */
static inline unsigned char *mst_staging_own(const mst_staging *staging, mst_staging_part part)
{
    return mst_staging_of(staging, part, staging->subarena->rank) + staging->last[part];
}

static inline const unsigned char *mst_staging_last(const mst_staging *staging, mst_staging_part part,
                                                    int rank)
{
    return mst_staging_of(staging, part, rank) + staging->last[part];
}

/* Advances past a round. `bytes`: max bytes staged by any rank in that part; identical on all. */
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
