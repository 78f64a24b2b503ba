/* Writes and reads the lists of member_list.h. */
#include "shm/join/member_list.h"

#include "shm/base/error.h"

static mst_member_line *lines_of(mst_member_list_head *written)
{
    return (mst_member_line *)(void *)(written + 1);
}

uint64_t mst_member_list_bytes(int size)
{
    return sizeof(mst_member_list_head) + (uint64_t)size * sizeof(mst_member_line);
}

void mst_member_list_write(const mst_geometry *geometry, uint32_t seat, uint64_t offset,
                           const mst_member_list *list)
{
    mst_member_list_head *written = (mst_member_list_head *)(void *)mst_layout_at(geometry, seat, offset);

    *written =
        (mst_member_list_head){ .size = (uint64_t)list->size, .oversubscribed = list->policy.spin_ns == 0 };
    for (int i = 0; i < list->size; i++) {
        const mst_member *member = &list->members[i];

        lines_of(written)[i] =
            (mst_member_line){ member->seat, member->cell, member->membership, member->staging_offset };
    }
}

muster_status mst_member_list_read(const mst_geometry *geometry, uint32_t seat, uint64_t offset,
                                   mst_member_list *list)
{
    mst_member_list_head *written = mst_layout_heap_at(geometry, seat, offset, sizeof *written);
    mst_member_list_head head = written ? *written : (mst_member_list_head){ 0 }; /* read once */

    if (head.size == 0 || head.size > (uint64_t)list->room ||
        !mst_layout_heap_at(geometry, seat, offset, mst_member_list_bytes((int)head.size)) ||
        head.oversubscribed > 1)
        return mst_fail(MUSTER_ERR_BAD_ARENA,
                        "there is no membership list of a new group at %llu: the arena is damaged",
                        (unsigned long long)offset);
    list->size = (int)head.size;
    list->policy = mst_wait_policy_for((int)geometry->size, head.oversubscribed ? 1 : (int)geometry->size);
    for (int i = 0; i < list->size; i++) { /* the parts are checked when the group is opened */
        mst_member_line line = lines_of(written)[i];

        list->members[i] = (mst_member){ line.seat, line.cell, line.membership, line.staging_offset, 0 };
    }
    return MUSTER_OK;
}

int mst_member_list_find(const mst_member_list *list, uint32_t seat)
{
    for (int i = 0; i < list->size; i++)
        if (list->members[i].seat == seat)
            return i;
    return -1;
}
