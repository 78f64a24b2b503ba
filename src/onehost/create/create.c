/* Creates and frees groups, as described in create.h. */
#include "src/onehost/create/create.h"

#include <stdlib.h>

#include "shm/base/error.h"
#include "src/onehost/coll/run.h"
#include "src/onehost/coll/started.h"
#include "src/onehost/coll/view.h"
#include "src/onehost/group/remote.h"
#include "src/onehost/messages/started_messages.h"
#include "src/onehost/wait/pending.h"

static void destroy(mst_group *group)
{
    mst_channels_destroy(&group->channels);
    mst_pairs_destroy(&group->pairs);
    mst_traffic_destroy(&group->traffic);
    mst_message_destroy(group);
    mst_started_destroy(group);
    mst_pending_destroy(group);
    mst_remotes_destroy(group);
    mst_team_destroy(group->team);
    free(group->records);
    free(group->sources);
    free(group->targets);
    free(group->split_records);
    free(group->varied);
    free(group->call);
    free(group->hierarchy);
    free(group);
}

static mst_waiter waiter_of(mst_group *group)
{
    mst_waiter waiter = mst_attachment_waiter(group->subarena->attachment);

    waiter.poison = &group->cell->poison;
    waiter.no_poison = group->subarena->no_poison[group->base.rank];
    waiter.deadline.limit_ns = group->base.timeout_ns;
    return waiter;
}

/* By what all members have said of themselves before any of them could be in this group (E1), so that all
 * meet in the same way. Where they meet in two levels although they share CPUs, which tests ask for, all else
 * is as if they did not. False: there is no memory. */
static bool choose_paths(mst_group *group)
{
    const mst_subarena *subarena = group->subarena;
    const mst_attachment *attachment = subarena->attachment;
    bool oversubscribed = attachment->waits.policy.spin_ns == 0;
    uint32_t *caches = malloc((size_t)subarena->size * sizeof *caches);

    if (!caches)
        return false;
    for (int rank = 0; rank < subarena->size; rank++)
        caches[rank] = mst_layout_entry(&attachment->geometry, subarena->members[rank].seat)->cache; /* E1 */
    bool made = mst_hierarchy_make(caches, subarena->size, oversubscribed, &group->hierarchy);
    free(caches);
    oversubscribed = oversubscribed && !group->hierarchy;
    group->staging.oversubscribed = oversubscribed;
    group->tuning = mst_tuning_for(&attachment->arena->thresholds, subarena->size, oversubscribed);
    if (group->hierarchy) /* leaders pass payloads on, and no slots */
        group->tuning.payload_bytes_max = MST_PAYLOAD_BYTES;
    return made;
}

/* Of messages. Where libc's `rep movs` is quick, it needs no prefetching. */
static mst_entry_copies copies_for(const mst_group *group, const mst_kernels *kernels)
{
    bool by_libc = group->tuning.libc_copy_bytes_min <= MST_PART_BYTES;

    return (mst_entry_copies){ .stream = kernels->stream,
                               .give = by_libc ? mst_copy : kernels->give,
                               .take = by_libc ? mst_copy : kernels->take };
}

muster_status mst_group_create(mst_subarena *subarena, const mst_kernels *kernels, int64_t timeout_ns,
                               mst_group **created)
{
    size_t size = (size_t)subarena->size;
    mst_group *group = calloc(1, sizeof *group);

    if (group) {
        group->subarena = subarena;
        group->cell = subarena->cells[subarena->rank];
        group->activities = group->cell->activities;
        mst_pending_init(group);
        group->records = calloc(size, sizeof *group->records);
        group->sources = calloc(size, sizeof *group->sources);
        group->targets = calloc(size + 1, sizeof *group->targets);
        group->split_records = calloc(size, sizeof *group->split_records);
    }
    if (!group || !mst_call_init(group) || !choose_paths(group) || !group->records || !group->sources ||
        !group->targets || !group->split_records ||
        !mst_channels_init(&group->channels, subarena, copies_for(group, kernels)) ||
        !mst_traffic_init(&group->traffic, subarena->size)) {
        if (group)
            destroy(group);
        mst_subarena_retire(subarena);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %zu", size);
    }
    group->base = (muster_group){ .backend = &mst_backend_onehost,
                                  .rank = subarena->rank,
                                  .size = subarena->size,
                                  .here = subarena->attachment->fork_mark,
                                  .log = &subarena->attachment->log,
                                  .timeout_ns = timeout_ns,
                                  .number = mst_subarena_number(subarena) };
    if (group->hierarchy)
        mst_log_line(group->base.log, MUSTER_LOG_INFO, "meets in two levels, in a group of %d: %d domains",
                     group->base.size, group->hierarchy->domains);
    mst_pairs_init(&group->pairs, subarena);
    group->staging.subarena = subarena;
    mst_staging_begin(&group->staging);
    group->kernels = kernels;
    mst_group_plan_stores(group);
    group->recorded = mst_record_pack(&(mst_record_what){
        .peer = -1, .group_rank = (uint32_t)group->base.rank, .group_size = (uint32_t)group->base.size });
    group->send_waiter = group->receive_waiter = waiter_of(group);
    mst_sequence_init(&group->collectives, subarena, MST_SEQUENCE_COLLECTIVES, timeout_ns);
    group->collectives.hierarchy = group->hierarchy;
    mst_sequence_init(&group->splits, subarena, MST_SEQUENCE_SPLITS, timeout_ns);
    if (!mst_remotes_init(group)) {
        mst_group_close(&group->base);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %zu", size);
    }
    *created = group;
    return MUSTER_OK;
}

void mst_group_close(muster_group *closed)
{
    mst_group *group = mst_group_of(closed);

    mst_log_line(closed->log, MUSTER_LOG_INFO, "frees a group of %d, in which it was rank %d", closed->size,
                 closed->rank);
    mst_background_remove(&group->subarena->attachment->waits.background, &group->task);
    mst_subarena_retire(group->subarena);
    destroy(group);
}
