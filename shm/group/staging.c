/* Claims and finds the rings of staging.h. */
#include "shm/group/staging.h"

mst_staging_offer mst_staging_claim(mst_subarena *subarena)
{
    mst_attachment *attachment = subarena->attachment;
    mst_member *own = &subarena->own;
    muster_status status = MUSTER_OK;

    if (own->staging_offset == 0)
        status = mst_heap_claim(&attachment->heap, attachment->geometry.staging_bytes, &own->staging_offset);
    return (mst_staging_offer){ .offset = status == MUSTER_OK ? own->staging_offset : 0,
                                .status = (uint32_t)status };
}

bool mst_staging_place(mst_subarena *subarena, int rank, uint64_t offset)
{
    const mst_geometry *geometry = &subarena->attachment->geometry;
    mst_member told = subarena->members[rank];

    told.staging_offset = offset;
    if (!mst_member_has_room(geometry, &told))
        return false;
    subarena->members[rank].staging_offset = offset; /* that alone: the watcher of deaths reads the seat */
    subarena->staging[rank] = mst_layout_at(geometry, told.seat, offset);
    return true;
}
