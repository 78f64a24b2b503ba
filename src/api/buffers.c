/* Arena buffers: memory of a group that its other ranks can access. */
#include "src/api/enter.h"

muster_status muster_alloc(muster_group *group, size_t bytes, void **buffer)
{
    muster_status status = mst_check_group(group);

    if (status == MUSTER_OK)
        status = mst_check_place(buffer, "buffer");
    if (status != MUSTER_OK)
        return mst_named("alloc", status);
    if (bytes > 0)
        status = group->backend->alloc(group, bytes, buffer);
    else
        *buffer = NULL;
    return status == MUSTER_OK ? status : mst_failed(group, "alloc", status);
}

muster_status muster_free(muster_group *group, void *buffer)
{
    muster_status status = mst_check_group(group);

    if (status != MUSTER_OK || !buffer || group->backend->release(group, buffer))
        return status;
    return mst_fail(
        MUSTER_ERR_INVALID,
        "%p is not a buffer of this group: muster_alloc did not return it to this rank, or it has been freed",
        buffer);
}
