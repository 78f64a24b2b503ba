/*
 * Progress of started collectives (started.c has the plan): each is taken to the stages `read` and `done` of
 * the journal, in the order in which they were started, by any thread of the rank that has the lock.
 */
#include "src/onehost/coll/advance.h"

#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "src/onehost/coll/agree.h"
#include "src/onehost/coll/reduce_started.h"
#include "src/onehost/coll/varied_started.h"
#include "src/onehost/coll/view.h"
#include "src/onehost/wait/broken.h"

#define SMALL_BYTES 4096 /* an operation with less is published together with those that follow it */

/* ---- reading ---- */

static muster_status damaged(mst_group *group, int rank)
{
    return mst_group_poison(
        group, MST_POISON_DAMAGE,
        "rank %d found no started operation of rank %d where its journal should have one: "
        "the arena is damaged",
        group->base.rank, rank);
}

/* Whether the operation is the one of that number. Our own counts are in the arena, too. */
static bool is_next(mst_group *group, const mst_started_op *operation, uint64_t number)
{
    if (operation && operation->number == number)
        return true;
    damaged(group, group->base.rank);
    return false;
}

/* The address of a peer's bytes; NULL: they are not in its heap. */
static unsigned char *peer_at(const mst_group *group, int rank, uint64_t offset, size_t bytes)
{
    const mst_subarena *subarena = group->subarena;

    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->members[rank].seat, offset, bytes);
}

/* Copies the records of all ranks, and compares them. */
static muster_status collect(struct mst_started_calls *calls, mst_started_op *operation)
{
    mst_group *group = operation->pending.group;

    for (int rank = 0; rank < group->base.size; rank++) {
        const mst_journal_entry *entry = mst_journal_next(&calls->journal, MST_JOURNAL_READ, rank);

        if (!entry)
            return damaged(group, rank);
        mst_record_copy(&calls->records[rank], &entry->call); /* E32 */
        calls->lends[rank] = entry->lends;
    }
    muster_status status = mst_records_compare(&operation->call, calls->records);
    if (status == MUSTER_OK && mst_shapes[operation->request.collective].varied)
        return mst_varied_collect(&operation->call, calls->records, calls->in);
    for (int rank = 0; rank < group->base.size && status == MUSTER_OK; rank++) {
        size_t bytes = mst_op_in_bytes_of(operation, rank);

        calls->in[rank] = bytes ? peer_at(group, rank, calls->records[rank].in_offset, bytes) : NULL;
        if (bytes && !calls->in[rank])
            status = damaged(group, rank);
    }
    /* Our own, from the buffer: it is in our cache. Not where the output replaces it before it has been read.
     */
    if (mst_op_in_bytes_of(operation, group->base.rank) && !mst_op_keeps_own(operation))
        calls->in[group->base.rank] = operation->request.in;
    return status;
}

static bool any_lends(const struct mst_started_calls *calls, int size)
{
    int rank = 0;

    while (rank < size && !calls->lends[rank])
        rank++;
    return rank < size;
}

/* By slices where that is less work, or where a rank's result would overwrite its own input, which others
 * read. */
static bool is_sliced(const struct mst_started_calls *calls, const mst_started_op *operation)
{
    const mst_group *group = operation->pending.group;

    if (!mst_op_reduces_wholes(operation))
        return false;
    if (mst_op_in_bytes_of(operation, group->base.rank) > group->tuning.whole_bytes_max)
        return true;
    return any_lends(calls, group->base.size);
}

static mst_inputs inputs_of(const struct mst_started_calls *calls, const mst_started_op *operation)
{
    return (mst_inputs){ &operation->call, calls->in, calls->sources, calls->targets };
}

/* Makes the outputs of all receivers the targets of our slice; 0: some are not in the arena. */
static int target_outputs(const struct mst_started_calls *calls, const mst_started_op *operation,
                          mst_slice own)
{
    mst_group *group = operation->pending.group;
    int targets = 0;

    for (int i = 0; i < group->base.size; i++) {
        int rank =
            (group->base.rank + i) % group->base.size; /* so that not all write to the same one at once */
        uint64_t offset = calls->records[rank].out_offset;

        if (!mst_op_out_bytes_of(operation, rank))
            continue;
        if (!offset)
            return 0;
        calls->targets[targets++] =
            (mst_target){ mst_layout_at(&group->subarena->attachment->geometry,
                                        group->subarena->members[rank].seat, offset + own.begin),
                          mst_streams_out(&operation->call) };
    }
    return targets;
}

/* The place where others read our slice, and our output. */
static int target_result(const struct mst_started_calls *calls, const mst_started_op *operation,
                         mst_slice own)
{
    mst_group *group = operation->pending.group;
    unsigned char *out = operation->request.out;
    unsigned char *result = mst_layout_at(&group->subarena->attachment->geometry, group->subarena->own.seat,
                                          operation->entry->result_offset);
    bool receives = operation->call.plan.out_bytes != 0;

    calls->targets[0] = (mst_target){ result, false };
    if (!receives || result == out + own.begin)
        return 1;
    calls->targets[1] = (mst_target){ out + own.begin, mst_streams_out(&operation->call) };
    return 2;
}

static void reduce_slice(const struct mst_started_calls *calls, mst_started_op *operation)
{
    mst_inputs inputs = inputs_of(calls, operation);
    mst_slice own = mst_op_slice_of(operation, operation->pending.group->base.rank);
    int targets = target_outputs(calls, operation, own);
    bool direct = targets > 0;
    bool lends_out = operation->lends_in && operation->call.out_offset;

    if (!direct)
        targets = target_result(calls, operation, own);
    mst_reduce_own_slice(&inputs, targets);
    operation->sliced = !direct && operation->call.plan.out_bytes != 0;
    operation->needs_all_read = operation->lends_in || direct;
    operation->needs_all_done = !direct && lends_out;
}

static muster_status read_inputs(struct mst_started_calls *calls, mst_started_op *operation)
{
    const mst_method *method = mst_methods[operation->request.collective];
    mst_inputs inputs = inputs_of(calls, operation);

    muster_status status = collect(calls, operation);
    bool moves = operation->request.count || mst_shapes[operation->request.collective].varied;
    if (status != MUSTER_OK || !moves)
        return status;
    mst_fault_point("started.read");
    if (is_sliced(calls, operation)) {
        reduce_slice(calls, operation);
    } else {
        operation->needs_all_read = operation->lends_in;
        if (method->compute && operation->call.plan.out_bytes)
            method->compute(&inputs);
    }
    return any_lends(calls, operation->pending.group->base.size)
               ? mst_group_was_whole(operation->pending.group)
               : MUSTER_OK;
}

/* Takes operations to the stage, as far as all have been started. */
static bool read_all(mst_group *group, struct mst_started_calls *calls)
{
    uint64_t started = mst_journal_all(&calls->journal, MST_JOURNAL_STARTED); /* E32 */
    uint64_t published = mst_journal_own(&calls->journal, MST_JOURNAL_READ), own = published;

    while (own < started && is_next(group, calls->to_read, own + 1) &&
           read_inputs(calls, calls->to_read) == MUSTER_OK) {
        const mst_started_op *operation = calls->to_read;
        bool small =
            operation->call.plan.out_bytes < SMALL_BYTES && operation->call.plan.in_bytes < SMALL_BYTES;

        calls->to_read = operation->next;
        own++;
        if (!small) {
            mst_journal_advance(&calls->journal, MST_JOURNAL_READ, own); /* E33 */
            published = own;
        }
    }
    if (own > published)
        mst_journal_advance(&calls->journal, MST_JOURNAL_READ, own); /* E33 */
    return own < started;                                            /* it has failed */
}

/* ---- done ---- */

static muster_status copy_slices(struct mst_started_calls *calls, const mst_started_op *operation)
{
    mst_group *group = operation->pending.group;
    bool lent = false; /* a result lies in the output of a rank that lends its buffers, else in its journal */

    for (int i = 0; i < group->base.size; i++) {
        int rank = (group->base.rank + i) % group->base.size;
        mst_slice slice = mst_op_slice_of(operation, rank);
        const mst_journal_entry *entry = mst_journal_next(&calls->journal, MST_JOURNAL_DONE, rank);

        if (!entry)
            return damaged(group, rank);
        if (!operation->sliced || rank == group->base.rank || !slice.count)
            continue;
        lent = lent || entry->lends;
        const unsigned char *result = peer_at(group, rank, entry->result_offset, slice.count);
        if (!result)
            return damaged(group, rank);
        mst_deliver(&operation->call, slice.begin, result, slice.count);
    }
    return lent ? mst_group_was_whole(group) : MUSTER_OK;
}

static void finish_all(mst_group *group, struct mst_started_calls *calls)
{
    uint64_t own = mst_journal_own(&calls->journal, MST_JOURNAL_DONE), published = own;
    uint64_t read = mst_journal_own(&calls->journal, MST_JOURNAL_READ);
    uint64_t read_by_all = mst_journal_all(&calls->journal, MST_JOURNAL_READ); /* E33 */

    while (own < read && is_next(group, calls->to_do, own + 1) &&
           (!calls->to_do->sliced || own < read_by_all) && copy_slices(calls, calls->to_do) == MUSTER_OK) {
        calls->to_do = calls->to_do->next;
        own++;
    }
    if (own > published)
        mst_journal_advance(&calls->journal, MST_JOURNAL_DONE, own); /* E34 */
}

bool mst_started_progress(mst_group *group)
{
    struct mst_started_calls *calls = group->started;

    if (!calls || calls->ended || mst_subarena_is_broken(group->subarena) || read_all(group, calls))
        return false;
    finish_all(group, calls);
    mst_started_forget(calls);
    mst_journal_reclaim(&calls->journal);
    return mst_journal_own(&calls->journal, MST_JOURNAL_DONE) <
           mst_journal_own(&calls->journal, MST_JOURNAL_STARTED);
}

void mst_started_forget(struct mst_started_calls *calls)
{
    uint64_t done = mst_journal_own(&calls->journal, MST_JOURNAL_DONE);

    while (calls->first && calls->first->completed && calls->first->number <= done) {
        mst_started_op *over = calls->first;

        calls->first = over->next;
        if (!calls->first)
            calls->last = NULL;
        free(over);
    }
}
