/* Writes and reads the lists of member_list.h. */
#include "shm/join/member_list.h"

#include "shm/base/error.h"

static mst_member_line *lines_of(mst_member_list_head *list)
{
    return (mst_member_line *)(void *)(list + 1);
}

uint64_t mst_member_list_bytes(int size)
{
    return sizeof(mst_member_list_head) + (uint64_t)size * sizeof(mst_member_line);
}

void mst_member_list_write(const mst_geometry *geometry, uint32_t seat, uint64_t offset,
                           const mst_member_list *members)
{
    mst_member_list_head *list = (mst_member_list_head *)(void *)mst_layout_at(geometry, seat, offset);

    *list = (mst_member_list_head){ .size = (uint64_t)members->size,
                                    .oversubscribed = members->policy.spin_ns == 0 };
    for (int i = 0; i < members->size; i++) {
        const mst_share *share = &members->shares[i];

        lines_of(list)[i] =
            (mst_member_line){ share->seat, share->cell, share->membership, share->staging_offset };
    }
}

muster_status mst_member_list_read(const mst_geometry *geometry, uint32_t seat, uint64_t offset,
                                   mst_member_list *members)
{
    mst_member_list_head *list = mst_layout_heap_at(geometry, seat, offset, sizeof *list);
    mst_member_list_head head = list ? *list : (mst_member_list_head){ 0 }; /* read once */

    if (head.size == 0 || head.size > (uint64_t)members->room ||
        !mst_layout_heap_at(geometry, seat, offset, mst_member_list_bytes((int)head.size)) ||
        head.oversubscribed > 1)
        return mst_fail(MUSTER_ERR_BAD_ARENA,
                        "there is no membership list of a new group at %llu: the arena is damaged",
                        (unsigned long long)offset);
    members->size = (int)head.size;
    members->policy = mst_wait_policy_for((int)geometry->size, head.oversubscribed ? 1 : (int)geometry->size);
    for (int i = 0; i < members->size; i++) { /* the shares are checked when the group is opened */
        mst_member_line line = lines_of(list)[i];

        members->shares[i] = (mst_share){ line.seat, line.cell, line.membership, line.staging_offset, 0 };
    }
    return MUSTER_OK;
}

int mst_member_list_find(const mst_member_list *members, uint32_t seat)
{
    for (int i = 0; i < members->size; i++)
        if (members->shares[i].seat == seat)
            return i;
    return -1;
}
