/* Creates new groups from parts, as described in child.h. */
#include "src/onehost/create/child.h"

#include "src/onehost/create/create.h"

mst_split_record mst_child_record(const mst_member *member, muster_status claimed)
{
    return (mst_split_record){
        .status = (uint32_t)claimed,
        .cell = member->cell,
        .membership = member->membership,
        .staging_offset = member->staging_offset,
    };
}

mst_member mst_child_member(const mst_group *group, int rank, const mst_split_record *record)
{
    return (mst_member){ group->subarena->members[rank].seat, record->cell, record->membership,
                         record->staging_offset, 0 };
}

muster_status mst_child_create(mst_group *group, const mst_member *members, int rank, int size,
                               const mst_member *own, mst_group **child)
{
    mst_attachment *attachment = group->subarena->attachment;
    mst_subarena *subarena;
    mst_group *created;

    muster_status status = mst_subarena_open(attachment, members, rank, size, &subarena);
    if (status != MUSTER_OK) {
        mst_member_abandon(attachment, own);
        return status;
    }
    status = mst_group_create(subarena, group->kernels, group->base.timeout_ns, &created);
    if (status != MUSTER_OK)
        return status;
    if (group->base.threads_multiple)
        mst_group_serve_threads(created);
    created->base.interrupt = group->base.interrupt;
    created->base.interrupt_arg = group->base.interrupt_arg;
    created->tuning.nontemporal_bytes_min = group->tuning.nontemporal_bytes_min; /* user settings */
    created->tuning.nontemporal_fixed = group->tuning.nontemporal_fixed;
    mst_group_plan_stores(created);
    mst_store_inherit(&created->staging_stores, &group->staging_stores);
    mst_store_inherit(&created->arena_stores, &group->arena_stores);
    mst_log_line(created->base.log, MUSTER_LOG_INFO, "is rank %d of a new group of %d", rank, size);
    *child = created;
    return MUSTER_OK;
}
