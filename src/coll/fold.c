/*
 * The reduction of all inputs, for all_reduce and reduce. N bytes, p ranks; three ways, the same bits:
 *
 *   one step      Everyone stages its input; after one step every receiver folds all of them, with
 *                 its own operand straight from the user's memory. One synchronisation,
 *                 (p + 3) N bytes of traffic per rank: best while a synchronisation costs more than
 *                 the copying.
 *   slices        Reduce-scatter, then all-gather, over staging in rounds that fit a slot: each rank
 *                 folds its slice of the round and stages the result, receivers copy all slices.
 *                 Two synchronisations per round, about (5 + 1/p) N bytes.
 *   in the arena  Inputs and outputs of all ranks lie in the arena: each rank folds its slice of the
 *                 whole from where the inputs lie into its own output, then copies the other slices
 *                 from where they were written. Three synchronisations, no staging. In place is
 *                 safe: nobody but rank r reads or writes slice r before the second step, and after
 *                 it nobody reads inputs.
 */
#include "src/coll/patterns.h"
#include "src/partition.h"

#define LINE_BYTES 64

/* Largest input, in bytes, that goes in one step. Data, measured; it changes speed, never bits. */
static const struct {
    int ranks_max;
    size_t bytes_max;
} one_step_limits[] = {
    { 2, 64 * 1024 },
    { 4, 16 * 1024 },
    { 16, 8 * 1024 },
    { MST_RANKS_MAX, 2 * 1024 },
};

static size_t one_step_bytes_max(const mst_call *call)
{
    size_t slot = mst_slot_bytes(call);
    int i = 0;

    while (call->group->size > one_step_limits[i].ranks_max)
        i++;
    return one_step_limits[i].bytes_max < slot ? one_step_limits[i].bytes_max : slot;
}

static void fold(const mst_call *call, void *to, size_t count)
{
    call->group->kernels->fold[call->dtype][call->op](to, call->group->sources, call->group->size, count);
}

static muster_status fold_in_one_step(mst_call *call, bool receives)
{
    muster_group *group = call->group;

    mst_copy(mst_slot(call), call->in, call->count * call->element_bytes);
    muster_status status = mst_step(call);
    if (status != MUSTER_OK || !receives)
        return status;
    for (int rank = 0; rank < group->size; rank++)
        group->sources[rank] = rank == group->rank ? call->in : mst_peer_slot(call, rank);
    fold(call, call->out, call->count);
    return MUSTER_OK;
}

static mst_slice slice_of(const mst_call *call, size_t count, int rank)
{
    mst_slice slice = mst_partition(count, call->group->size, rank, LINE_BYTES / call->element_bytes);

    return (mst_slice){ slice.begin * call->element_bytes, slice.count * call->element_bytes };
}

static muster_status fold_in_arena(mst_call *call)
{
    muster_group *group = call->group;
    mst_slice own = slice_of(call, call->count, group->rank);
    unsigned char *out = call->out;

    for (int rank = 0; rank < group->size; rank++)
        group->sources[rank] = mst_view(call, rank, own.begin, 0);
    fold(call, out + own.begin, own.count / call->element_bytes);
    muster_status status = mst_step(call);
    if (status != MUSTER_OK)
        return status;
    for (int i = 1; i < group->size; i++) {
        int rank = (group->rank + i) % group->size;
        mst_slice slice = slice_of(call, call->count, rank);

        mst_copy(out + slice.begin, mst_view_out(call, rank, slice.begin), slice.count);
    }
    return mst_step(call);
}

/* Everything of the round but our own slice, which nobody else reads. */
static void stage_others_slices(const mst_call *call, const unsigned char *in, size_t bytes, mst_slice own)
{
    unsigned char *slot = mst_slot(call);
    size_t end = own.begin + own.count;

    mst_copy(slot, in, own.begin);
    mst_copy(slot + end, in + end, bytes - end);
}

/* Folds our slice of the round that begins at byte `base` into the slot of the next step. */
static void fold_own_slice(const mst_call *call, size_t base, mst_slice own)
{
    muster_group *group = call->group;

    for (int rank = 0; rank < group->size; rank++)
        group->sources[rank] = rank == group->rank ? (const unsigned char *)call->in + base + own.begin
                                                   : mst_view(call, rank, base + own.begin, own.begin);
    fold(call, mst_slot(call) + own.begin, own.count / call->element_bytes);
}

static void copy_all_slices(const mst_call *call, size_t base, size_t count)
{
    for (int i = 0; i < call->group->size; i++) {
        int rank = (call->group->rank + i) % call->group->size;
        mst_slice slice = slice_of(call, count, rank);

        mst_copy((unsigned char *)call->out + base + slice.begin, mst_peer_slot(call, rank) + slice.begin,
                 slice.count);
    }
}

static muster_status fold_by_slices(mst_call *call, bool receives)
{
    size_t round = mst_slot_bytes(call) / call->element_bytes;
    muster_status status = MUSTER_OK;

    for (size_t done = 0; done < call->count && status == MUSTER_OK; done += round) {
        size_t count = call->count - done < round ? call->count - done : round;
        size_t base = done * call->element_bytes;
        mst_slice own = slice_of(call, count, call->group->rank);
        bool first = !call->stepped;

        if (!call->in_offset)
            stage_others_slices(call, (const unsigned char *)call->in + base, count * call->element_bytes,
                                own);
        status = mst_step(call);
        if (status != MUSTER_OK)
            return status;
        if (first && call->collective == MST_ALL_REDUCE && mst_all_inputs_in_arena(call) &&
            mst_all_outputs_in_arena(call))
            return fold_in_arena(call);
        fold_own_slice(call, base, own);
        status = mst_step(call);
        if (status == MUSTER_OK && receives)
            copy_all_slices(call, base, count);
    }
    return status;
}

muster_status mst_fold_all(mst_call *call, bool receives)
{
    if (call->count * call->element_bytes <= one_step_bytes_max(call))
        return fold_in_one_step(call, receives);
    return fold_by_slices(call, receives);
}
