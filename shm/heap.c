/* Claim, commit, cache and release of heap.h. */
#include "shm/heap.h"

#include <errno.h>

#include "shm/error.h"
#include "shm/fault.h"
#include "shm/os.h"

#define LOOK_AT_LIMIT_FROM (256ULL * 1024)

bool mst_heap_init(mst_heap *heap, const mst_geometry *geometry, int fd, uint32_t seat)
{
    *heap = (mst_heap){ .geometry = *geometry, .fd = fd, .seat = seat };
    if (!mst_extents_init(&heap->extents, mst_layout_heap_begin(geometry, seat),
                          mst_layout_heap_end(geometry, seat)))
        return false;
    pthread_mutex_init(&heap->lock, NULL);
    return true;
}

void mst_heap_destroy(mst_heap *heap)
{
    mst_extents_destroy(&heap->extents);
    pthread_mutex_destroy(&heap->lock);
}

uint64_t mst_heap_block_bytes(uint64_t bytes)
{
    return (bytes + MST_EXTENT_UNIT - 1) / MST_EXTENT_UNIT * MST_EXTENT_UNIT;
}

static muster_status explain_full(const char *what, uint64_t bytes, uint64_t free_bytes)
{
    if (free_bytes == UINT64_MAX)
        return mst_fail(MUSTER_ERR_NO_SPACE,
                        "%s needs %.1f MiB and the system has no memory left for it; free some, use "
                        "smaller or fewer buffers, or raise the memory limit",
                        what, (double)bytes / 1048576);
    return mst_fail(MUSTER_ERR_NO_SPACE,
                    "%s needs %.1f MiB and shared memory has %.1f MiB left; enlarge /dev/shm (mount -o "
                    "remount,size=2G /dev/shm, or --shm-size for a container), or start the ranks with "
                    "muster run, which does not use /dev/shm",
                    what, (double)bytes / 1048576, (double)free_bytes / 1048576);
}

/* A control group's limit is no error of the system's: it kills. So large commits look before. */
static muster_status look_at_limit(const char *what, uint64_t bytes)
{
    uint64_t left = bytes >= LOOK_AT_LIMIT_FROM ? mst_os_memory_left() : UINT64_MAX;

    if (bytes <= left)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_NO_SPACE,
                    "%s needs %.1f MiB and the memory limit of this process's control group (of a container, "
                    "or a service) leaves %.1f MiB; raise it, or use smaller or fewer buffers",
                    what, (double)bytes / 1048576, (double)left / 1048576);
}

muster_status mst_heap_commit(int fd, uint64_t offset, uint64_t bytes, const char *what)
{
    uint64_t free_bytes = mst_os_object_free_bytes(fd);
    bool full = bytes > free_bytes || mst_fault_point("heap.commit");

    muster_status status = full ? MUSTER_OK : look_at_limit(what, bytes);
    if (status != MUSTER_OK)
        return status;
    int error = full ? -ENOSPC : mst_os_object_commit(fd, offset, bytes);
    if (error == 0)
        return MUSTER_OK;
    if (error != -ENOSPC && error != -ENOMEM && error != -EFBIG)
        return mst_fail_system(error, "cannot commit arena memory");
    return explain_full(what, bytes, free_bytes);
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
    mst_os_object_release(heap->fd, offset, bytes);
    mst_extents_give_back(&heap->extents, offset, bytes);
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
        return mst_fail(MUSTER_ERR_NO_SPACE,
                        "a block of %.1f MiB does not fit into this rank's %.1f MiB of the arena; free "
                        "buffers, or create the arena larger (MUSTER_ARENA_BYTES)",
                        (double)bytes / 1048576, (double)heap->geometry.region_bytes / 1048576);
    muster_status status = mst_heap_commit(heap->fd, *offset, bytes, "a block of arena memory");
    if (status != MUSTER_OK) {
        give_to_system(heap, *offset, bytes); /* a commit that failed half way must leave nothing */
        return status;
    }
    mst_os_populate(heap->geometry.base + *offset, bytes);
    return MUSTER_OK;
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
