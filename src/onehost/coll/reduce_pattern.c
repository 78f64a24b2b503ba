/*
 * The reduction of all inputs, for all_reduce and reduce, of N bytes on p ranks. There are four algorithms,
 * with the same bits. All but the last work in rounds that fill a slot.
 *
 * Whole: each rank stages its input; after one round every receiver reduces all inputs, reading its own from
 * the user's memory. One synchronisation per round, (p + 3) N bytes of traffic per rank: best while a
 * synchronisation costs more than the copying.
 *
 * Shared: each rank stages its input; the members that run when all have arrived reduce chunks of it for all
 * (chunks.h) and stage the results, which the others copy. One synchronisation per round. Inputs are read
 * once for all: 4 N bytes per rank, and (p + 1) N once for all. For groups that share CPUs, where most
 * members would wait for a CPU anyway.
 *
 * Slices: reduce-scatter, then all-gather. Each rank reduces its slice of the round and stages the result;
 * receivers copy the other slices. Rounds overlap: the result of one is published with the input of the next,
 * so R rounds take R + 1 synchronisations, and (5 - 2/p) N bytes.
 *
 * In the arena: inputs and outputs of all ranks are in the arena. Each rank reduces its slice of all inputs
 * where they are, and writes it to every output. Two synchronisations in all, 2 N bytes, which is the
 * minimum. In place is safe: only rank r reads or writes slice r. Up to 1 MiB for all ranks together, the
 * slices are replaced by shared chunks where CPUs are shared.
 *
 * If only some inputs are in the arena they are read there, by slices: the last round then tells that nobody
 * reads them any more. With shared chunks, all inputs have been read when all chunks are done.
 */
#include "src/onehost/coll/reduce_pattern.h"

#include "src/onehost/coll/assembled.h"
#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/view.h"
#include "src/pure/partition.h"

#define LINE_BYTES 64
#define STRETCH_BYTES 131072 /* reduced before the store policy is asked again */
#define CHUNK_BYTES_MIN 8192 /* of shared work: a smaller chunk is not worth a second CPU */

mst_slice mst_reduce_slice(const mst_call *call, size_t count, int rank)
{
    size_t element = call->request->element_bytes, granule = element < LINE_BYTES ? LINE_BYTES / element : 1;
    mst_slice slice = mst_partition(count, call->group->base.size, rank, granule);

    return (mst_slice){ slice.begin * element, slice.count * element };
}

/* ---- whole ---- */

static void reduce_whole(const mst_call *call, size_t base, size_t bytes)
{
    mst_group *group = call->group;

    for (int rank = 0; rank < group->base.size; rank++)
        group->sources[rank] = rank == group->base.rank ? (const unsigned char *)call->request->in + base
                                                        : mst_peer_slot(call, rank);
    mst_combine_out(call, base, bytes);
}

/* ---- slices ---- */

void mst_stage_others_slices(const mst_call *call, size_t base, size_t bytes, mst_slice own)
{
    const unsigned char *in = (const unsigned char *)call->request->in + base;
    size_t end = own.begin + own.count;

    mst_stage(call, 0, in, own.begin);
    mst_stage(call, end, in + end, bytes - end);
}

/* Reduces our slice of the round into the slot of the next round, at `result_at`, and, if this rank receives,
 * into `out`. */
static void reduce_own_slice(const mst_call *call, size_t base, mst_slice own, size_t result_at,
                             bool receives)
{
    mst_group *group = call->group;

    for (int rank = 0; rank < group->base.size; rank++)
        group->sources[rank] = rank == group->base.rank
                                   ? (const unsigned char *)call->request->in + base + own.begin
                                   : mst_view(call, rank, base + own.begin, own.begin);
    group->targets[0] = (mst_target){ mst_slot(call) + result_at,
                                      mst_store_is_nontemporal(&group->staging_stores, own.count) };
    if (receives)
        group->targets[1] =
            (mst_target){ (unsigned char *)call->request->out + base + own.begin, mst_streams_out(call) };
    mst_combine_into_targets(call, receives ? 2 : 1, own.count);
}

static void copy_others_slices(const mst_call *call, size_t base, size_t count, size_t result_at)
{
    for (int i = 1; i < call->group->base.size; i++) {
        int rank = (call->group->base.rank + i) % call->group->base.size;
        mst_slice slice = mst_reduce_slice(call, count, rank);

        mst_deliver(call, base + slice.begin, mst_peer_slot(call, rank) + result_at, slice.count);
    }
}

static mst_slice own_slice(const mst_call *call, size_t bytes)
{
    return mst_reduce_slice(call, bytes / call->request->element_bytes, call->group->base.rank);
}

/* All rounds; the first has been staged and has happened. A slot contains the inputs of one round and, after
 * them, the result of our slice of the previous round. */
static muster_status reduce_slices(mst_call *call, size_t all, size_t round, bool receives)
{
    muster_status status = MUSTER_OK;

    for (size_t base = 0; base < all && status == MUSTER_OK; base += round) {
        size_t bytes = all - base < round ? all - base : round, left = all - base - bytes;
        size_t next = left < round ? left : round;

        reduce_own_slice(call, base, own_slice(call, bytes), next, receives);
        if (next && !call->in_offset)
            mst_stage_others_slices(call, base + bytes, next, own_slice(call, next));
        status =
            mst_round(call, next + mst_reduce_slice(call, bytes / call->request->element_bytes, 0).count);
        if (status == MUSTER_OK && receives)
            copy_others_slices(call, base, bytes / call->request->element_bytes, next);
    }
    return status;
}

/* ---- in the arena ---- */

/* Reduces `bytes` of our slice into all outputs, by the kind of stores that is faster now. */
static void reduce_stretch(const mst_call *call, size_t bytes)
{
    mst_group *group = call->group;
    bool nontemporal = mst_streams_out(call) || mst_store_begin(&group->arena_stores, bytes);

    for (int i = 0; i < group->base.size; i++)
        group->targets[i].stream = nontemporal;
    mst_combine_into_targets(call, group->base.size, bytes);
    mst_store_end(&group->arena_stores, bytes);
}

static void reduce_slice_in_arena(const mst_call *call, mst_slice slice)
{
    mst_group *group = call->group;

    for (int i = 0; i < group->base.size; i++) {
        int rank =
            (group->base.rank + i) % group->base.size; /* so that not all write to the same output at once */

        group->sources[i] = mst_view(call, i, slice.begin, 0);
        group->targets[i] = (mst_target){ mst_view_out(call, rank, slice.begin), false };
    }
    size_t most = STRETCH_BYTES * (call->team ? (size_t)call->team->threads : 1);
    for (size_t left = slice.count; left > 0;) {
        size_t now = left < most ? left : most;

        reduce_stretch(call, now);
        left -= now;
    }
}

static muster_status reduce_in_arena(mst_call *call)
{
    reduce_slice_in_arena(call, mst_reduce_slice(call, call->request->count, call->group->base.rank));
    return mst_round(call, 0);
}

static bool all_in_arena(const mst_call *call)
{
    return mst_shapes[call->request->collective].out == SPAN_ONE && mst_all_inputs_in_arena(call) &&
           mst_all_outputs_in_arena(call);
}

/* ---- all ---- */

/* Bytes of a round: together with a slice of the previous round they fit a slot. The same for `whole` and
 * `slices`, since an input found in the arena changes the one into the other after the first round. If so
 * many ranks share a small slot that it has less than a line for each, the slices of some are empty and none
 * is larger than a line. */
static size_t round_bytes(const mst_call *call)
{
    size_t parts = (size_t)call->group->base.size, slot = mst_slot_bytes(call);
    size_t lines = slot / (parts + 1) / LINE_BYTES;

    return lines ? lines * LINE_BYTES * parts : (slot - LINE_BYTES) / LINE_BYTES * LINE_BYTES;
}

/* All rounds; the first has been staged and has happened. */
static muster_status reduce_wholes(mst_call *call, size_t all, size_t round, bool receives)
{
    muster_status status = MUSTER_OK;

    for (size_t base = 0; base < all && status == MUSTER_OK; base += round) {
        size_t bytes = all - base < round ? all - base : round, left = all - base - bytes;
        size_t next = left < round ? left : round;

        if (receives)
            reduce_whole(call, base, bytes);
        if (next == 0)
            break;
        mst_stage(call, 0, (const unsigned char *)call->request->in + base + bytes, next);
        status = mst_round(call, next);
    }
    return status;
}

/* ---- shared ---- */

/* A round with shared chunks, all of one size but the last. */
typedef struct shared_round {
    size_t base, bytes, chunk_bytes;
    bool receives; /* this rank copies the results */
} shared_round;

static size_t chunk_bytes_of(size_t bytes)
{
    size_t least = (bytes + MST_CHUNKS_MAX - 1) / MST_CHUNKS_MAX;

    return least < CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN
                                   : (least + MST_COMBINE_BYTES - 1) / MST_COMBINE_BYTES * MST_COMBINE_BYTES;
}

static int chunk_count(const shared_round *round)
{
    return (int)((round->bytes + round->chunk_bytes - 1) / round->chunk_bytes);
}

static mst_slice chunk_of(const shared_round *round, int chunk)
{
    size_t begin = (size_t)chunk * round->chunk_bytes, left = round->bytes - begin;

    return (mst_slice){ begin, left < round->chunk_bytes ? left : round->chunk_bytes };
}

/* Reduces a chunk into our slot, for all, and into our output. */
static void reduce_chunk(const mst_call *call, const void *arg, int chunk)
{
    const shared_round *round = arg;
    mst_slice slice = chunk_of(round, chunk);
    size_t at = round->base + slice.begin;
    mst_group *group = call->group;

    for (int rank = 0; rank < group->base.size; rank++)
        group->sources[rank] = rank == group->base.rank ? (const unsigned char *)call->request->in + at
                                                        : mst_view(call, rank, at, slice.begin);
    group->targets[0] = (mst_target){ mst_own_slot(call) + slice.begin,
                                      mst_store_is_nontemporal(&group->staging_stores, round->bytes) };
    if (round->receives)
        group->targets[1] = (mst_target){ (unsigned char *)call->request->out + at, mst_streams_out(call) };
    mst_combine_into_targets(call, round->receives ? 2 : 1, slice.count);
}

/* Reduces a chunk into all outputs. */
static void reduce_chunk_in_arena(const mst_call *call, const void *arg, int chunk)
{
    reduce_slice_in_arena(call, chunk_of(arg, chunk));
}

/* A rank that receives no results waits, too: those who reduce are the ones to find a mismatch. */
static muster_status reduce_round(mst_call *call, const shared_round *round, mst_chunk_fn reduce)
{
    int count = chunk_count(round), by;

    muster_status status = mst_work_share(call, count, reduce, round);
    for (int chunk = 0; chunk < count && status == MUSTER_OK; chunk++) {
        mst_slice slice = chunk_of(round, chunk);

        status = mst_work_await(call, chunk, &by);
        if (status == MUSTER_OK && round->receives && by != call->group->base.rank)
            mst_deliver(call, round->base + slice.begin, mst_peer_slot(call, by) + slice.begin, slice.count);
    }
    return status;
}

/* Rounds that fill a slot; a single round for inputs and outputs in the arena. */
static muster_status reduce_shared(mst_call *call, size_t all, bool receives)
{
    size_t slot = mst_slot_bytes(call), most = call->plan.in_line || all < slot ? all : slot;
    muster_status status = MUSTER_OK;

    for (size_t base = 0; base < all && status == MUSTER_OK; base += most) {
        size_t bytes = all - base < most ? all - base : most;
        shared_round round = { base, bytes, chunk_bytes_of(bytes), receives };

        if (!call->in_offset)
            mst_stage(call, 0, (const unsigned char *)call->request->in + base, bytes);
        status = mst_round(call, bytes);
        if (status == MUSTER_OK && all_in_arena(call))
            return all <= call->group->tuning.shared_view_bytes_max
                       ? reduce_round(call, &(shared_round){ 0, all, chunk_bytes_of(all), false },
                                      reduce_chunk_in_arena)
                       : reduce_in_arena(call);
        if (status == MUSTER_OK)
            status = reduce_round(call, &round, reduce_chunk);
    }
    return status;
}

/* A reduction that fits into the arrivals' payload. */
static muster_status reduce_tiny(mst_call *call, size_t all, bool receives)
{
    mst_stage(call, 0, call->request->in, all);
    muster_status status = mst_round(call, all);
    if (status == MUSTER_OK && receives)
        reduce_whole(call, 0, all);
    return status;
}

muster_status mst_reduce_all(mst_call *call, bool receives)
{
    size_t all = call->request->count * call->request->element_bytes;

    if (call->plan.shared)
        return reduce_shared(call, all, receives);
    if (call->plan.in_line)
        return reduce_tiny(call, all, receives);
    if (call->plan.assembled)
        return mst_reduce_assembled(call, receives ? call->group->base.size : 0);

    bool whole = all <= call->group->tuning.whole_bytes_max;
    size_t round = round_bytes(call), bytes = all < round ? all : round;

    if (!call->in_offset && whole)
        mst_stage(call, 0, call->request->in, bytes);
    else if (!call->in_offset)
        mst_stage_others_slices(call, 0, bytes, own_slice(call, bytes));
    muster_status status = mst_round(call, bytes);
    if (status != MUSTER_OK)
        return status;
    if (all_in_arena(call))
        return reduce_in_arena(call);
    if (whole && !mst_any_input_in_arena(call))
        return reduce_wholes(call, all, round, receives);
    return reduce_slices(call, all, round, receives);
}
