/* Claims and releases the arena buffers of buffer.h. */
#include "src/onehost/group/buffer.h"

#include "shm/group/group_blocks.h"
#include "src/onehost/group/group.h"

muster_status mst_buffer_alloc(muster_group *group, size_t bytes, void **buffer)
{
    mst_subarena *subarena = mst_group_of(group)->subarena;
    uint64_t offset;

    muster_status status = mst_subarena_claim_block(subarena, bytes, &offset);
    if (status == MUSTER_OK)
        *buffer = mst_layout_at(&subarena->attachment->geometry, subarena->own.seat, offset);
    return status;
}

bool mst_buffer_release(muster_group *group, void *buffer)
{
    mst_subarena *subarena = mst_group_of(group)->subarena;
    uint64_t offset = mst_layout_own_offset(&subarena->attachment->geometry, subarena->own.seat, buffer);

    return offset && mst_subarena_release_block(subarena, offset);
}
