/*
 * Memory in one rank's region: finds a free extent, commits it before anyone touches it, and releases it to
 * the system afterwards. Small blocks are kept committed in a small cache, so that splitting and freeing
 * groups in a loop makes no system calls.
 *
 * Used by one rank; a private lock protects it from concurrent threads.
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
    uint64_t bytes;    /* of the whole heap */
    uint64_t reserved; /* of it, for malloc */
    mst_extents extents;
    mst_extent cache[MST_HEAP_CACHE_BLOCKS]; /* committed, claimed from `extents`, unused */
    int cached;
    pthread_mutex_t lock;
} mst_heap;

bool mst_heap_init(mst_heap *heap, const mst_geometry *geometry, mst_memory *memory, uint32_t seat);
void mst_heap_destroy(mst_heap *heap); /* frees the bookkeeping; releases no arena memory */

/* Shortens the heap to its first `bytes` bytes. */
void mst_heap_limit(mst_heap *heap, uint64_t bytes);

/* Bytes that a claim of `bytes` occupies. */
uint64_t mst_heap_block_bytes(uint64_t bytes);

/* Claims committed memory with undefined content. The message of NO_SPACE says how much is missing and what
 * to do. */
muster_status mst_heap_claim(mst_heap *heap, uint64_t bytes, uint64_t *offset);
void mst_heap_release(mst_heap *heap, uint64_t offset, uint64_t bytes);

/* Address space of the heap that no block is claimed from. */
typedef struct mst_reservation {
    uint64_t offset, bytes;
    mst_extent claimed; /* with what is left over around it */
} mst_reservation;

/* Reserves at most `bytes`, which span a multiple of `unit`, a power of two, and begin at an address that is
 * one: nothing is committed, and it reads as zeros. False: less than `least` is free. */
bool mst_heap_reserve(mst_heap *heap, uint64_t bytes, uint64_t least, uint64_t unit, mst_reservation *made);
void mst_heap_unreserve(mst_heap *heap, const mst_reservation *made); /* which nobody has touched */

#endif
