/*
 * Staging: the bytes through which private buffers travel. Each member has two slots and uses them
 * in turn, one per step; barrier.h says why two are enough. Only the owner writes its slots.
 */
#ifndef MST_STAGING_H
#define MST_STAGING_H

#include "shm/subarena.h"

static inline size_t mst_staging_slot_bytes(const mst_subarena *subarena)
{
    return (size_t)(subarena->attachment->geometry.staging_bytes / 2);
}

/* The slot that `rank` uses at `step`. */
static inline unsigned char *mst_staging_slot(const mst_subarena *subarena, int rank, uint32_t step)
{
    return subarena->staging[rank] + (step & 1) * mst_staging_slot_bytes(subarena);
}

#endif
