/*
 * Which extents of a range of offsets are free: first fit, neighbours merged when freed. Pure bookkeeping in
 * private memory: it never touches the bytes and knows nothing of the arena.
 */
#ifndef MST_EXTENT_H
#define MST_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_EXTENT_UNIT 4096ULL /* every extent begins at and spans a multiple of this */

typedef struct mst_extent {
    uint64_t offset;
    uint64_t bytes;
} mst_extent;

typedef struct mst_extents {
    mst_extent *free; /* sorted by offset, no two adjacent */
    size_t count;
    size_t capacity; /* > claims, so that freeing never allocates */
    size_t claims;
} mst_extents;

bool mst_extents_init(mst_extents *extents, uint64_t begin, uint64_t end); /* false: no memory */
void mst_extents_destroy(mst_extents *extents);

/* Claims `bytes` (a multiple of the unit); false: no free extent is long enough, or no memory. */
bool mst_extents_claim(mst_extents *extents, uint64_t bytes, uint64_t *offset);
void mst_extents_end_at(mst_extents *extents, uint64_t end); /* free space from `end` on is removed */
void mst_extents_release(mst_extents *extents, uint64_t offset, uint64_t bytes);

#endif
