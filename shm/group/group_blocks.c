/* Heap blocks of a group, as described in group_blocks.h. */
#include "shm/group/group_blocks.h"

#include <stdlib.h>

#include "shm/base/error.h"

static bool reserve_block(mst_subarena *subarena)
{
    if (subarena->block_count < subarena->block_capacity)
        return true;
    size_t capacity = subarena->block_capacity ? 2 * subarena->block_capacity : 8;
    mst_extent *room = realloc(subarena->blocks, capacity * sizeof *room);
    if (!room)
        return false;
    subarena->blocks = room;
    subarena->block_capacity = capacity;
    return true;
}

muster_status mst_subarena_claim_block(mst_subarena *subarena, uint64_t bytes, uint64_t *offset)
{
    mst_attachment *attachment = subarena->attachment;
    muster_status status = MUSTER_OK;

    mst_subarenas_reclaim(attachment);
    pthread_mutex_lock(&attachment->lock);
    if (!reserve_block(subarena))
        status = mst_fail(MUSTER_ERR_NO_MEMORY, "no memory to record a block of the arena");
    if (status == MUSTER_OK)
        status = mst_heap_claim(&attachment->heap, bytes, offset);
    if (status == MUSTER_OK)
        subarena->blocks[subarena->block_count++] = (mst_extent){ *offset, bytes };
    pthread_mutex_unlock(&attachment->lock);
    return status;
}

void mst_subarena_abandon_block(mst_subarena *subarena, uint64_t offset)
{
    pthread_mutex_lock(&subarena->attachment->lock);
    for (size_t i = 0; i < subarena->block_count; i++)
        if (subarena->blocks[i].offset == offset)
            subarena->blocks[i--] = subarena->blocks[--subarena->block_count];
    pthread_mutex_unlock(&subarena->attachment->lock);
}

bool mst_subarena_release_block(mst_subarena *subarena, uint64_t offset)
{
    mst_attachment *attachment = subarena->attachment;
    bool found = false;

    pthread_mutex_lock(&attachment->lock);
    for (size_t i = 0; i < subarena->block_count && !found; i++) {
        if (subarena->blocks[i].offset != offset)
            continue;
        found = true;
        /* In a broken group peers may still be reading: the block is then freed with the group. */
        if (!mst_subarena_is_broken(subarena)) {
            mst_heap_release(&attachment->heap, offset, subarena->blocks[i].bytes);
            subarena->blocks[i] = subarena->blocks[--subarena->block_count];
        }
    }
    pthread_mutex_unlock(&attachment->lock);
    return found;
}
