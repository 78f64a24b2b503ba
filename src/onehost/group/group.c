/* Answers simple questions about groups, for group.h. */
#include "src/onehost/group/group.h"

#include <string.h>

#include "shm/base/atomic.h"
#include "shm/group/mapped.h"

/* Shorter messages took longer by non-temporal stores, where collectives did not (docs/decisions/0020). */
enum { MESSAGE_NONTEMPORAL_BYTES_MIN = 1280 };

void mst_group_plan_stores(mst_group *group)
{
    mst_store_plan plan = { group->tuning.nontemporal_bytes_min, group->tuning.nontemporal_fixed,
                            group->tuning.nontemporal_max_ratio };

    mst_store_init(&group->staging_stores, plan, MST_STORE_POLICY_FOR_READER);
    mst_store_init(&group->arena_stores, plan, MST_STORE_POLICY_FOR_WRITER);
    if (!plan.fixed && plan.nontemporal_bytes_min < MESSAGE_NONTEMPORAL_BYTES_MIN)
        plan.nontemporal_bytes_min = MESSAGE_NONTEMPORAL_BYTES_MIN;
    group->channels.plan = plan;
}

uint64_t mst_group_heap_offset(const mst_group *group, const void *buffer, size_t bytes)
{
    mst_attachment *attachment = group->subarena->attachment;
    uint64_t offset = mst_layout_own_offset(&attachment->geometry, attachment->seat, buffer);

    if (offset == 0 ||
        mst_subarena_is_sealed(attachment, buffer)) /* there a peer that writes would be killed */
        return 0;
    return mst_layout_heap_at(&attachment->geometry, attachment->seat, offset, bytes) ? offset : 0;
}

void mst_group_copy_within_arena(const mst_group *group, mst_channel_end *end, void *to, const void *from,
                                 size_t bytes)
{
    if (mst_store_begin(&end->view_stores, bytes))
        group->kernels->stream(to, from, bytes);
    else
        memcpy(to, from, bytes);
    mst_store_end(&end->view_stores, bytes);
}

/* All messages are moved with the lock, as if started ones were always pending. */
void mst_group_serve_threads(mst_group *group)
{
    group->base.threads_multiple = true;
    for (int i = 0; i < 2; i++)
        mst_store32_rlx(&group->traffic.started[i], 1);
}

/* Where several wait, none spins: the lock that each look takes is what the others need. */
void mst_group_borrow_waiter(const mst_group *group, muster_call_class class, mst_waiter *waiter)
{
    const _Atomic uint64_t *occupied = group->base.occupied;
    uint64_t inside =
        mst_load64_rlx(&occupied[MUSTER_CALL_SEND]) + mst_load64_rlx(&occupied[MUSTER_CALL_RECEIVE]);

    *waiter = class == MUSTER_CALL_SEND ? group->send_waiter : group->receive_waiter;
    if (group->base.threads_multiple && inside > 2 * MST_ONE_OF_SEVERAL)
        waiter->policy.spin_ns = 0;
}

int mst_group_translate(const muster_group *group, int rank, const muster_group *other)
{
    const mst_subarena *here = mst_group_of_const(group)->subarena;
    const mst_subarena *there = mst_group_of_const(other)->subarena;

    if (here->attachment != there->attachment)
        return -1;
    for (int at = 0; at < other->size; at++)
        if (there->members[at].seat == here->members[rank].seat)
            return at;
    return -1;
}
