/* Records, and making of child.h. */
#include "src/onehost/child.h"

mst_split_record mst_child_record(const mst_share *share, muster_status claimed)
{
    return (mst_split_record){
        .status = (uint32_t)claimed,
        .cell = share->cell,
        .membership = share->membership,
        .staging_offset = share->staging_offset,
    };
}

mst_share mst_child_share(const muster_group *group, int rank, const mst_split_record *record)
{
    return (mst_share){ group->subarena->shares[rank].seat, record->cell, record->membership,
                        record->staging_offset };
}

muster_status mst_child_create(muster_group *group, const mst_share *shares, int rank, int size,
                               const mst_share *own, muster_group **child)
{
    mst_attachment *attachment = group->subarena->attachment;
    mst_subarena *subarena;
    muster_group *created;

    muster_status status = mst_subarena_open(attachment, shares, rank, size, &subarena);
    if (status != MUSTER_OK) {
        mst_share_abandon(attachment, own);
        return status;
    }
    status = mst_group_create(subarena, group->transport, group->kernels, group->timeout_ns, &created);
    if (status != MUSTER_OK)
        return status;
    created->interrupt = group->interrupt;
    created->interrupt_arg = group->interrupt_arg;
    created->tuning.around_bytes_min = group->tuning.around_bytes_min; /* perhaps the user's */
    created->tuning.around_fixed = group->tuning.around_fixed;
    mst_group_plan_routes(created);
    mst_route_inherit(&created->staging_route, &group->staging_route);
    mst_route_inherit(&created->arena_route, &group->arena_route);
    mst_log_line(mst_group_log(created), MUSTER_LOG_INFO, "is rank %d of a new group of %d", rank, size);
    *child = created;
    return MUSTER_OK;
}
