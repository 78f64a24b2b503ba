/*
 * Memory in one rank's region: finds a stretch, gives it memory of its own before anyone touches
 * it, and gives the memory back to the system afterwards. Small blocks are kept committed in a
 * little cache, so that splitting and freeing groups in a loop makes no system calls.
 *
 * Used by one rank; its threads are kept apart by a private lock.
 */
#ifndef MST_HEAP_H
#define MST_HEAP_H

#include <pthread.h>

#include "muster/muster.h"
#include "shm/arena/memory.h"
#include "shm/base/extent.h"
#include "shm/base/layout.h"

#define MST_HEAP_CACHE_BLOCKS 16
#define MST_HEAP_CACHE_BLOCK_BYTES_MAX ((2048 + 64) * 1024ULL) /* the staging of a small group */

typedef struct mst_heap {
    mst_geometry geometry;
    mst_memory *memory;
    uint32_t seat;
    uint64_t bytes; /* of all of it */
    mst_extents extents;
    mst_extent cache[MST_HEAP_CACHE_BLOCKS]; /* committed, claimed from `extents`, in nobody's use */
    int cached;
    pthread_mutex_t lock;
} mst_heap;

bool mst_heap_init(mst_heap *heap, const mst_geometry *geometry, mst_memory *memory, uint32_t seat);
void mst_heap_destroy(mst_heap *heap); /* forgets; releases no memory */

/* From now on the heap ends after so many bytes, less than it had, or as many. */
void mst_heap_limit(mst_heap *heap, uint64_t bytes);

/* Bytes that a claim of `bytes` occupies. */
uint64_t mst_heap_block_bytes(uint64_t bytes);

/* Claims committed memory; its contents are undefined. NO_SPACE says how much and what to do. */
muster_status mst_heap_claim(mst_heap *heap, uint64_t bytes, uint64_t *offset);
void mst_heap_release(mst_heap *heap, uint64_t offset, uint64_t bytes);

#endif
