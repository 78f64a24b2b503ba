/*
 * Staging: the bytes through which private buffers travel. Each member has a ring of them and writes
 * at every step behind what it wrote at the last one; all move on by the same number of bytes, so each
 * knows where the others' are. Only the owner writes its ring.
 *
 * What is written for step s must stay until all have read it, which they have when they arrive at
 * step s + 1 (barrier.h): so the pieces of two steps that follow each other must not overlap. A piece
 * is at most a quarter of the ring, and the ring is begun anew when less than a quarter is left, at
 * which time the last piece lies in its second half.
 *
 * Why a ring and not two slots: storing to a line that a peer has read lately takes its cache's
 * answer. In a ring larger than that cache the line has left it. Where ranks share CPUs they share
 * caches too, and each step costs several switches of a CPU: there the two halves are used in turn,
 * for half as many steps.
 */
#ifndef MST_STAGING_H
#define MST_STAGING_H

#include "shm/subarena.h"

typedef struct mst_staging {
    const mst_subarena *subarena;
    bool halves; /* two large pieces in turn */
    size_t last; /* where the pieces of the last step begin */
    size_t next; /* and those of the next one */
} mst_staging;

/* The most that can be staged for one step. */
static inline size_t mst_staging_piece_max(const mst_staging *staging)
{
    return (size_t)staging->subarena->attachment->geometry.staging_bytes / (staging->halves ? 2 : 4);
}

/* Where we write for the next step. */
static inline unsigned char *mst_staging_next(const mst_staging *staging)
{
    return staging->subarena->staging[staging->subarena->rank] + staging->next;
}

/* Where `rank` has written for the last one. */
static inline const unsigned char *mst_staging_last(const mst_staging *staging, int rank)
{
    return staging->subarena->staging[rank] + staging->last;
}

/* A step is made, for which the member that staged most staged `bytes`. */
static inline void mst_staging_turn(mst_staging *staging, size_t bytes)
{
    size_t ring = (size_t)staging->subarena->attachment->geometry.staging_bytes;
    size_t behind = (staging->next + bytes + MST_LINE - 1) / MST_LINE * MST_LINE;

    staging->last = staging->next;
    if (staging->halves)
        staging->next = staging->next ? 0 : ring / 2;
    else
        staging->next = behind + ring / 4 <= ring ? behind : 0;
}

#endif
