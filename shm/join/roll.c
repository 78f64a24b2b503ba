/* Writing and reading of roll.h. */
#include "shm/join/roll.h"

#include "src/pure/error.h"

static mst_roll_line *lines_of(mst_roll *roll)
{
    return (mst_roll_line *)(void *)(roll + 1);
}

uint64_t mst_roll_bytes(int size)
{
    return sizeof(mst_roll) + (uint64_t)size * sizeof(mst_roll_line);
}

void mst_roll_write(const mst_geometry *geometry, uint32_t seat, uint64_t offset, const mst_roll_call *call)
{
    mst_roll *roll = (mst_roll *)(void *)mst_layout_at(geometry, seat, offset);

    *roll = (mst_roll){ .size = (uint64_t)call->size, .crowded = call->policy.spin_ns == 0 };
    for (int i = 0; i < call->size; i++) {
        const mst_share *share = &call->shares[i];

        lines_of(roll)[i] =
            (mst_roll_line){ share->seat, share->cell, share->membership, share->staging_offset };
    }
}

muster_status mst_roll_read(const mst_geometry *geometry, uint32_t seat, uint64_t offset, mst_roll_call *call)
{
    mst_roll *roll = mst_layout_heap_at(geometry, seat, offset, sizeof *roll);
    mst_roll head = roll ? *roll : (mst_roll){ 0 }; /* read once */

    if (head.size == 0 || head.size > (uint64_t)call->room ||
        !mst_layout_heap_at(geometry, seat, offset, mst_roll_bytes((int)head.size)) || head.crowded > 1)
        return mst_fail(MUSTER_ERR_BAD_ARENA, "there is no roll of a new group at %llu: the arena is damaged",
                        (unsigned long long)offset);
    call->size = (int)head.size;
    call->policy = mst_wait_policy_for((int)geometry->size, head.crowded ? 1 : (int)geometry->size);
    for (int i = 0; i < call->size; i++) { /* the shares are checked when the group is opened */
        mst_roll_line line = lines_of(roll)[i];

        call->shares[i] = (mst_share){ line.seat, line.cell, line.membership, line.staging_offset };
    }
    return MUSTER_OK;
}

int mst_roll_find(const mst_roll_call *call, uint32_t seat)
{
    for (int i = 0; i < call->size; i++)
        if (call->shares[i].seat == seat)
            return i;
    return -1;
}
