/*
 * Started collectives.
 *
 * Starting one appends an entry to this rank's journal (shm/group/journal.h): the request, and where the
 * others read the input. A large arena buffer is lent: they read it where it is. Any other input is copied
 * into the entry. Then progress, whoever makes it, takes each operation through the stages of the journal, in
 * the order in which they were started:
 *
 *   read   All ranks have started it. The requests are compared, and this rank computes its output from all
 *          inputs. Of a reduction that is large, or of which a rank has lent its input, it reduces only its
 *          slice: into all outputs, if they are arena buffers; else into a place where the others read it.
 *   done   All ranks have read the inputs. A receiver copies the others' slices.
 *
 * An operation is over when this rank has its output, and nobody uses its buffers any more: of a lent input,
 * when all ranks have come to `read`; of an output in which others read or write slices, to `done` or `read`.
 * So an operation with copied inputs needs nothing of the others but that they have started it, unless it is
 * a large reduction.
 *
 * Cost: for n bytes of private input a copy of n bytes; a line to each rank for each stage; what is read is
 * read once by each receiver, or once in all for reductions by slices.
 */
#include "src/onehost/coll/started.h"

#include <stdio.h>
#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "src/onehost/coll/advance.h"
#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/mixed.h"
#include "src/onehost/coll/run.h"
#include "src/onehost/coll/varied_started.h"
#include "src/onehost/coll/view.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/wait/broken.h"

#define SMALL_BYTES 4096 /* below it memcpy copies */

static mst_started_op *operation_of(const mst_pending *pending)
{
    return (mst_started_op *)(uintptr_t)pending;
}

/* ---- the operation as a pending one ---- */

static bool is_over(const mst_pending *pending)
{
    const mst_started_op *operation = operation_of(pending);
    const struct mst_started_calls *calls = pending->group->started;

    if (!calls)
        return true; /* in a group of one */
    if (mst_journal_own(&calls->journal, MST_JOURNAL_READ) <
        operation->number) /* what follows was set before */
        return false;
    if (operation->sliced && mst_journal_own(&calls->journal, MST_JOURNAL_DONE) < operation->number)
        return false;
    if (operation->needs_all_read && mst_journal_all(&calls->journal, MST_JOURNAL_READ) < operation->number)
        return false;
    return !operation->needs_all_done ||
           mst_journal_all(&calls->journal, MST_JOURNAL_DONE) >= operation->number;
}

/* The stage to which some rank has not come, while the operation is not over. */
static mst_journal_stage missing_stage(const mst_started_op *operation)
{
    const mst_journal *journal = &operation->pending.group->started->journal;

    for (mst_journal_stage stage = MST_JOURNAL_STARTED; stage < MST_JOURNAL_DONE; stage++)
        if (mst_journal_all(journal, stage) < operation->number)
            return stage;
    return MST_JOURNAL_DONE;
}

static bool find_peers(const mst_pending *pending, int peers[2])
{
    peers[0] = peers[1] = -1;
    if (is_over(pending)) /* it needs nobody, though others of the same wait may */
        return false;

    const mst_started_op *operation = operation_of(pending);
    const mst_journal *journal = &pending->group->started->journal;
    mst_journal_stage stage = missing_stage(operation);
    int found = 0;
    for (int rank = 0; rank < pending->group->base.size && found < 2; rank++)
        if (!mst_journal_has_come(journal, stage, rank, operation->number) &&
            rank != pending->group->base.rank)
            peers[found++] = rank;
    return stage == MST_JOURNAL_STARTED && found > 0;
}

static void describe(const mst_pending *pending, char *text, size_t bytes)
{
    mst_call_describe(&operation_of(pending)->call, text, bytes);
}

static bool is_missing(const void *arg, int rank)
{
    const mst_started_op *operation = arg;

    return !mst_journal_has_come(&operation->pending.group->started->journal, missing_stage(operation), rank,
                                 operation->number);
}

static void list_missing(const mst_pending *pending, char *text, size_t bytes)
{
    mst_ranklist(text, bytes, pending->group->base.size, is_missing, pending);
}

static bool show(const mst_pending *pending)
{
    mst_call_show(&operation_of(pending)->call);
    pending->group->finishing = true;
    return true; /* no other thread is in calls of collectives */
}

static void record(const mst_started_op *operation, const mst_completion *completion)
{
    mst_group *group = operation->pending.group;
    mst_doing doing = mst_call_doing(&operation->call);

    if (completion->shown) {
        mst_group_arrived(group, MUSTER_CALL_COLLECTIVE, completion->shown);
        return;
    }
    group->finishing = true;
    mst_group_record(group, MUSTER_CALL_COLLECTIVE, &doing, completion->now_ns);
    group->finishing = false;
}

static void end(const mst_pending *pending)
{
    mst_call_end(&operation_of(pending)->call);
}

static void complete(mst_pending *pending, const mst_completion *completion)
{
    mst_started_op *operation = operation_of(pending);
    mst_group *group = pending->group;

    if (completion->succeeded && group->base.size > 1)
        record(operation, completion);
    if (completion->shown)
        mst_group_shown(group, MUSTER_CALL_COLLECTIVE);
    mst_pending_remove(pending);
    if (group->base.size == 1) { /* nobody else looks at it */
        free(operation);
        return;
    }
    group->started->ended = group->started->ended || !completion->succeeded;
    operation->completed = true;
    mst_started_forget(group->started);
}

static void name_error(const mst_pending *pending, muster_status status)
{
    mst_request_failed(&operation_of(pending)->request, status);
}

static const mst_pending_kind collective_kind = {
    .name_error = name_error,
    .is_over = is_over,
    .find_peers = find_peers,
    .describe = describe,
    .list_missing = list_missing,
    .show = show,
    .look = mst_started_look_for_calls,
    .end = end,
    .complete = complete,
};

/* ---- starting ---- */

static void destroy(struct mst_started_calls *calls)
{
    for (mst_started_op *next, *at = calls->first; at; at = next) {
        next = at->next;
        free(at);
    }
    mst_journal_destroy(&calls->journal);
    free(calls->records);
    free(calls->in);
    free(calls->lends);
    free(calls->sources);
    free(calls->targets);
    free(calls);
}

void mst_started_destroy(mst_group *group)
{
    if (group->started)
        destroy(group->started);
}

static muster_status prepare(mst_group *group)
{
    size_t size = (size_t)group->base.size;

    if (group->started || size == 1)
        return MUSTER_OK;
    struct mst_started_calls *calls = calloc(1, sizeof *calls);
    if (calls) {
        calls->records = calloc(size, sizeof *calls->records);
        calls->in = calloc(size, sizeof *calls->in);
        calls->lends = calloc(size, sizeof *calls->lends);
        calls->sources = calloc(size, sizeof *calls->sources);
        calls->targets = calloc(size + 1, sizeof *calls->targets);
        if (mst_journal_init(&calls->journal, group->subarena) && calls->records && calls->in &&
            calls->lends && calls->sources && calls->targets) {
            group->started = calls;
            mst_pending_register(group, MUSTER_CALL_COLLECTIVE, mst_started_progress);
            return MUSTER_OK;
        }
        destroy(calls);
    }
    return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for started operations");
}

/* In place, and not by slices: this rank's output would replace an input that others read. */
static bool overwrites_input(const mst_started_op *operation)
{
    const mst_request *request = &operation->request;
    const mst_shape *shape = &mst_shapes[request->collective];

    return shape->reduces && shape->in == SPAN_ONE && !mst_op_reduces_wholes(operation) &&
           request->in == request->out;
}

/* Decides which buffers are lent, and how many bytes the entry needs beside the record. */
static uint64_t plan(mst_started_op *operation)
{
    mst_group *group = operation->pending.group;
    const mst_request *request = &operation->request;
    size_t in_bytes = mst_op_in_bytes_of(operation, group->base.rank);
    size_t out_bytes = mst_op_out_bytes_of(operation, group->base.rank), least = group->tuning.lent_bytes_min;
    mst_call *call = &operation->call;

    call->records = group->started->records;
    if (mst_shapes[request->collective].varied)
        return mst_varied_plan(call, &operation->lends_in);
    mst_combine_plan(call);
    call->plan.in_bytes = in_bytes;
    call->plan.out_bytes = out_bytes;
    if (in_bytes >= least && !overwrites_input(operation) && !mst_op_keeps_own(operation))
        call->in_offset = mst_group_heap_offset(group, request->in, in_bytes);
    if (mst_op_reduces_wholes(operation) && out_bytes >= least)
        call->out_offset = mst_group_heap_offset(group, request->out, out_bytes);
    operation->lends_in = call->in_offset != 0;
    if (!operation->lends_in)
        return in_bytes;
    return mst_op_reduces_wholes(operation) && !call->out_offset
               ? mst_op_slice_of(operation, group->base.rank).count
               : 0;
}

/* Fills the entry: `offset` is of the bytes behind it. */
static void fill(mst_started_op *operation, uint64_t offset)
{
    mst_group *group = operation->pending.group;
    mst_call *call = &operation->call;
    mst_journal_entry *entry = operation->entry;
    size_t in_bytes = mst_op_in_bytes_of(operation, group->base.rank);

    entry->lends = operation->lends_in;
    if (mst_shapes[operation->request.collective].varied) {
        mst_varied_fill(call, entry, offset);
    } else if (!operation->lends_in && in_bytes) {
        call->in_offset = offset;
        mst_fault_point("started.copy");
        (in_bytes < SMALL_BYTES ? mst_copy : group->kernels->copy)(entry + 1, operation->request.in,
                                                                   in_bytes);
    }
    if (mst_op_reduces_wholes(operation)) {
        uint64_t begin = mst_op_slice_of(operation, group->base.rank).begin;

        entry->result_offset = !operation->lends_in ? offset + begin
                               : call->out_offset   ? call->out_offset + begin
                                                    : offset;
    }
    call->operation = ++group->operation;
    mst_call_note(&entry->call, call);
}

static void append(struct mst_started_calls *calls, mst_started_op *operation)
{
    operation->number = mst_journal_own(&calls->journal, MST_JOURNAL_STARTED) + 1;
    *(calls->last ? &calls->last->next : &calls->first) = operation;
    calls->last = operation;
    if (!calls->to_read)
        calls->to_read = operation;
    if (!calls->to_do)
        calls->to_do = operation;
}

/* With the lock, and with a number. */
static muster_status publish(mst_started_op *operation)
{
    mst_group *group = operation->pending.group;
    struct mst_started_calls *calls = group->started;
    uint64_t offset;

    muster_status status = mst_journal_append(&calls->journal, plan(operation), &operation->entry, &offset);
    if (status != MUSTER_OK)
        return status;
    fill(operation, offset);
    append(calls, operation);
    mst_journal_advance(&calls->journal, MST_JOURNAL_STARTED, operation->number); /* E32 */
    mst_pending_wanted(group);
    return MUSTER_OK;
}

/* With the lock. */
static muster_status start(mst_started_op *operation)
{
    mst_group *group = operation->pending.group;

    muster_status status = prepare(group);
    if (status == MUSTER_OK)
        status = mst_pending_add(&operation->pending, MUSTER_CALL_COLLECTIVE);
    if (status != MUSTER_OK)
        return status;
    if (group->base.size == 1)
        mst_call_alone(&operation->call);
    else
        status = publish(operation);
    if (status != MUSTER_OK)
        mst_pending_remove(&operation->pending);
    return status;
}

/* So that observers know the latest operation. */
static void show_started(const mst_started_op *operation)
{
    mst_group *group = operation->pending.group;

    mst_call_show(&operation->call);
    mst_group_unrecorded(group, MUSTER_CALL_COLLECTIVE);
    mst_group_shown(group, MUSTER_CALL_COLLECTIVE);
}

muster_status mst_started_call(muster_group *of, const mst_request *request, uint64_t *number)
{
    mst_group *group = mst_group_of(of);

    muster_status status = mst_group_ready_to_start(group, MUSTER_CALL_COLLECTIVE);
    if (status != MUSTER_OK)
        return mst_request_failed(request, status);
    mst_started_op *made = calloc(1, sizeof *made);
    if (!made)
        return mst_request_failed(request,
                                  mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a started operation"));
    mst_group_begin(group);
    made->pending =
        (mst_pending){ .kind = &collective_kind, .group = group, .timeout_ns = mst_started_limit_ns(of) };
    made->request = *request;
    made->call = (mst_call){ .request = &made->request, .group = group };
    mst_pending_lock(group);
    status = start(made);
    mst_pending_unlock(group);
    if (status != MUSTER_OK) {
        free(made);
        return mst_request_failed(request, status);
    }
    *number = made->pending.number;
    if (group->base.size > 1)
        show_started(made);
    return MUSTER_OK;
}
