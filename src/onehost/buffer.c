/* Arena buffers: blocks of this rank's heap that belong to a group. */
#include "src/onehost/group.h"
#include "src/pure/error.h"

static muster_status check(const muster_group *group)
{
    if (!group)
        return mst_fail(MUSTER_ERR_INVALID, "the group is NULL");
    if (mst_attachment_forked(group->subarena->attachment))
        return mst_fail(MUSTER_ERR_FORKED, "this process was forked by a rank and is none itself");
    return MUSTER_OK;
}

muster_status muster_alloc(muster_group *group, size_t bytes, void **buffer)
{
    uint64_t offset;

    muster_status status = check(group);
    if (status != MUSTER_OK)
        return status;
    if (!buffer)
        return mst_fail(MUSTER_ERR_INVALID, "there is no place for the buffer: the last argument is NULL");
    if (bytes == 0) {
        *buffer = NULL;
        return MUSTER_OK;
    }
    status = mst_subarena_claim_block(group->subarena, bytes, &offset);
    if (status == MUSTER_OK)
        *buffer = mst_layout_at(&group->subarena->attachment->geometry, group->subarena->own.seat, offset);
    return status;
}

muster_status muster_free(muster_group *group, void *buffer)
{
    muster_status status = check(group);
    if (status != MUSTER_OK || !buffer)
        return status;
    const mst_geometry *geometry = &group->subarena->attachment->geometry;
    uint64_t offset = mst_layout_own_offset(geometry, group->subarena->own.seat, buffer);

    if (offset && mst_subarena_release_block(group->subarena, offset))
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID,
                    "%p is no buffer that this rank got from muster_alloc for this group "
                    "and still has",
                    buffer);
}
