/* Claims, commits, caches and releases blocks of heap.h. */
#include "shm/arena/heap.h"

#include <stdio.h>

#include "shm/base/error.h"
#include "shm/port/os.h"

bool mst_heap_init(mst_heap *heap, const mst_geometry *geometry, mst_memory *memory, uint32_t seat)
{
    *heap = (mst_heap){
        .geometry = *geometry, .memory = memory, .seat = seat, .bytes = mst_layout_mapped_heap_bytes(geometry)
    };
    uint64_t begin = mst_layout_heap_begin(geometry, seat);
    if (!mst_extents_init(&heap->extents, begin, begin + heap->bytes))
        return false;
    pthread_mutex_init(&heap->lock, NULL);
    return true;
}

void mst_heap_destroy(mst_heap *heap)
{
    mst_extents_destroy(&heap->extents);
    pthread_mutex_destroy(&heap->lock);
}

void mst_heap_limit(mst_heap *heap, uint64_t bytes)
{
    pthread_mutex_lock(&heap->lock);
    mst_extents_end_at(&heap->extents, mst_layout_heap_begin(&heap->geometry, heap->seat) + bytes);
    heap->bytes = bytes;
    pthread_mutex_unlock(&heap->lock);
}

/* Reports why the heap is not larger. */
static muster_status explain_small(const mst_heap *heap, uint64_t bytes)
{
    bool whole = heap->bytes == heap->geometry.region_bytes;
    char malloc_has[80] = "";

    if (heap->reserved)
        snprintf(malloc_has, sizeof malloc_has, ", of which malloc has %.1f MiB (MUSTER_ARENA_MALLOC)",
                 (double)heap->reserved / 1048576);
    return mst_fail(
        MUSTER_ERR_NO_SPACE,
        "a block of %.*f MiB does not fit into this rank's %.1f MiB of the arena%s%s; free buffers, or %s",
        bytes < 1048576 ? 3 : 1, (double)bytes / 1048576, (double)heap->bytes / 1048576, malloc_has,
        whole ? "" : ", as one of the ranks can map no more (ulimit -v, valgrind)",
        whole ? "create the arena larger (MUSTER_ARENA_BYTES)" : "give that one more address space");
}

uint64_t mst_heap_block_bytes(uint64_t bytes)
{
    return (bytes + MST_EXTENT_UNIT - 1) / MST_EXTENT_UNIT * MST_EXTENT_UNIT;
}

static bool take_cached(mst_heap *heap, uint64_t bytes, uint64_t *offset)
{
    for (int i = heap->cached - 1; i >= 0; i--) {
        if (heap->cache[i].bytes != bytes)
            continue;
        *offset = heap->cache[i].offset;
        heap->cache[i] = heap->cache[--heap->cached];
        return true;
    }
    return false;
}

static void give_to_system(mst_heap *heap, uint64_t offset, uint64_t bytes)
{
    mst_os_memory_release(mst_layout_heap_at(&heap->geometry, heap->seat, offset, bytes), bytes);
    mst_extents_release(&heap->extents, offset, bytes);
}

static void flush_cache(mst_heap *heap)
{
    while (heap->cached > 0) {
        heap->cached--;
        give_to_system(heap, heap->cache[heap->cached].offset, heap->cache[heap->cached].bytes);
    }
}

static muster_status claim_fresh(mst_heap *heap, uint64_t bytes, uint64_t *offset)
{
    if (!mst_extents_claim(&heap->extents, bytes, offset))
        return explain_small(heap, bytes);
    void *block = mst_layout_heap_at(&heap->geometry, heap->seat, *offset, bytes);
    muster_status status = mst_memory_commit(heap->memory, block, bytes, "a block of arena memory");
    if (status != MUSTER_OK)
        give_to_system(heap, *offset, bytes); /* a partial commit must leave nothing committed */
    return status;
}

muster_status mst_heap_claim(mst_heap *heap, uint64_t bytes, uint64_t *offset)
{
    muster_status status = MUSTER_OK;
    uint64_t block = mst_heap_block_bytes(bytes);

    if (block < bytes)
        return mst_fail(MUSTER_ERR_NO_SPACE, "%llu bytes are more than any arena can hold",
                        (unsigned long long)bytes);
    pthread_mutex_lock(&heap->lock);
    if (!take_cached(heap, block, offset)) {
        status = claim_fresh(heap, block, offset);
        if (status == MUSTER_ERR_NO_SPACE && heap->cached > 0) {
            flush_cache(heap);
            status = claim_fresh(heap, block, offset);
        }
    }
    pthread_mutex_unlock(&heap->lock);
    return status;
}

bool mst_heap_reserve(mst_heap *heap, uint64_t bytes, uint64_t least, uint64_t unit, mst_reservation *made)
{
    uint64_t at;

    *made = (mst_reservation){ .bytes = 0 };
    pthread_mutex_lock(&heap->lock);
    for (uint64_t wanted = bytes / unit * unit; made->bytes == 0 && wanted >= least && wanted > 0;
         wanted = wanted / 2 / unit * unit)
        if (mst_extents_claim(&heap->extents, wanted + unit, &at))
            *made = (mst_reservation){ at, wanted, { at, wanted + unit } };
    heap->reserved += made->claimed.bytes;
    pthread_mutex_unlock(&heap->lock);
    if (made->bytes == 0)
        return false;
    /* The address, not the offset: the arena is mapped where any page begins. */
    made->offset += -(uintptr_t)mst_layout_at(&heap->geometry, heap->seat, made->offset) & (unit - 1);
    return true;
}

void mst_heap_unreserve(mst_heap *heap, const mst_reservation *made)
{
    pthread_mutex_lock(&heap->lock);
    mst_extents_release(&heap->extents, made->claimed.offset, made->claimed.bytes);
    heap->reserved -= made->claimed.bytes;
    pthread_mutex_unlock(&heap->lock);
}

void mst_heap_release(mst_heap *heap, uint64_t offset, uint64_t bytes)
{
    uint64_t block = mst_heap_block_bytes(bytes);

    pthread_mutex_lock(&heap->lock);
    if (block <= MST_HEAP_CACHE_BLOCK_BYTES_MAX && heap->cached < MST_HEAP_CACHE_BLOCKS)
        heap->cache[heap->cached++] = (mst_extent){ offset, block };
    else
        give_to_system(heap, offset, block);
    pthread_mutex_unlock(&heap->lock);
}
