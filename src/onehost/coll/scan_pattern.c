/*
 * Scans of N bytes on p ranks: the prefix of rank r is the reduction, in rank order, of the inputs of all
 * ranks up to it. There are three algorithms, with the same bits. The first two work in rounds that fill a
 * slot.
 *
 * Whole: each rank stages its input, and after one round reduces the inputs of the ranks up to it. One
 * synchronisation per round, up to (p + 3) N bytes of traffic on the last rank: best while a synchronisation
 * costs more than the copying.
 *
 * Slices: each rank makes all p prefixes of its slice of the round, in one pass over that slice of all
 * inputs, and stages them; then each rank copies its prefix of the other slices. The results of one round are
 * published with the input of the next, so R rounds take R + 1 synchronisations, and (6 - 4/p) N bytes.
 *
 * In the arena: inputs and outputs of all ranks are in the arena. Each rank writes the prefixes of its slice
 * to the outputs. Two synchronisations in all, 2 N bytes, which is the minimum. In place is safe: only rank r
 * reads or writes slice r.
 *
 * If only some inputs are in the arena they are read there, by slices. A prefix is made from the one before
 * it and one more input, in a block that stays in the cache. Where results are rounded (floats of 8 and 16
 * bits, averages), and by operations of the program, it is made from all inputs up to it, since rounding
 * twice would give other bits: they are in the cache, too, so that is p / 2 times the arithmetic, and the
 * same traffic.
 */
#include "src/onehost/coll/scan_pattern.h"

#include "src/onehost/coll/assembled.h"
#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/reduce_pattern.h"
#include "src/onehost/coll/reduce_started.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/view.h"
#include "src/pure/dtype.h"

#define LINE_BYTES 64
#define BLOCK_BYTES 4096 /* of each input at a time, so that the blocks of many ranks stay in the cache */

/* The number of inputs in the prefix of a rank. */
static int inputs_of(int rank, bool inclusive)
{
    return rank + (inclusive ? 1 : 0);
}

/* ---- whole ---- */

static void scan_whole(const mst_call *call, size_t base, size_t bytes, bool inclusive)
{
    mst_group *group = call->group;
    int count = inputs_of(group->base.rank, inclusive);

    for (int rank = 0; rank < count; rank++)
        group->sources[rank] = rank == group->base.rank ? (const unsigned char *)call->request->in + base
                                                        : mst_peer_slot(call, rank);
    if (count)
        mst_combine(call, (unsigned char *)call->request->out + base, group->sources, count, bytes);
}

/* All rounds; the first has been staged and has happened. Nobody reads the input of the last rank. */
static muster_status scan_wholes(mst_call *call, size_t all, size_t round, bool inclusive)
{
    bool is_read = call->group->base.rank + 1 < call->group->base.size;
    muster_status status = MUSTER_OK;

    for (size_t base = 0; base < all && status == MUSTER_OK; base += round) {
        size_t bytes = all - base < round ? all - base : round, left = all - base - bytes;
        size_t next = left < round ? left : round;

        scan_whole(call, base, bytes, inclusive);
        if (next == 0)
            break;
        if (is_read)
            mst_stage(call, 0, (const unsigned char *)call->request->in + base + bytes, next);
        status = mst_round(call, next);
    }
    return status;
}

/* ---- all prefixes of a slice ---- */

/* All prefixes of the elements at the sources, by rank, and their targets. */
typedef struct prefixes {
    const mst_call *call;
    const void **sources;
    mst_target *targets; /* of ranks that need none: NULL */
    bool inclusive;
} prefixes;

/* Writes a block of the prefix of a rank to its target. */
static void put(const prefixes *all, int rank, const void *block, size_t bytes)
{
    const mst_target *target = &all->targets[rank];
    const mst_kernels *kernels = all->call->group->kernels;

    if (target->at)
        (target->stream ? kernels->stream : kernels->copy)(target->at, block, bytes);
}

/* Makes each prefix of a block from the one before it. A rank's prefix is written after its input was read,
 * since both may be in the same place. */
static void chain_prefixes(const prefixes *all, size_t bytes)
{
    _Alignas(LINE_BYTES) unsigned char blocks[2][BLOCK_BYTES];

    for (int rank = 0; rank < all->call->group->base.size; rank++) {
        unsigned char *before = blocks[rank & 1], *with = blocks[(rank + 1) & 1];
        const void *const both[] = { before, all->sources[rank] };

        mst_combine_by_one(all->call, with, rank ? both : &both[1], rank ? 2 : 1, bytes);
        put(all, rank, all->inclusive ? with : before, bytes);
    }
}

/* Makes each prefix of a block from all inputs up to it, the longest first for the same reason. */
static void reduce_prefixes(const prefixes *all, size_t bytes)
{
    _Alignas(LINE_BYTES) unsigned char block[BLOCK_BYTES];

    for (int rank = all->call->group->base.size - 1; inputs_of(rank, all->inclusive) > 0; rank--) {
        mst_combine_by_one(all->call, block, all->sources, inputs_of(rank, all->inclusive), bytes);
        put(all, rank, block, bytes);
    }
}

/* Advances the pointers. */
static void make_prefixes(const prefixes *all, size_t bytes)
{
    const mst_request *request = all->call->request;
    bool from_all = mst_dtype_widens(request->dtype) || request->op == MUSTER_AVG || request->made;

    while (bytes > 0) {
        size_t now = bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES;

        (from_all ? reduce_prefixes : chain_prefixes)(all, now);
        for (int rank = 0; rank < all->call->group->base.size; rank++) {
            all->sources[rank] = (const unsigned char *)all->sources[rank] + now;
            if (all->targets[rank].at)
                all->targets[rank].at += now;
        }
        bytes -= now;
    }
}

static void make_part(const void *work, mst_part part)
{
    const prefixes *all = work;
    int size = all->call->group->base.size;
    prefixes own = { all->call, mst_part_sources(all->call, part, all->sources, size),
                     mst_part_targets(all->call, part, all->targets, size), all->inclusive };

    make_prefixes(&own, part.bytes);
}

/* Reduces the group's `sources` into its targets, by rank. */
static void scan_sources(const mst_call *call, size_t bytes, bool inclusive)
{
    prefixes all = { call, call->group->sources, call->group->targets, inclusive };
    size_t lead = mst_team_lead(all.targets[call->group->base.rank].at, call->request->element_bytes);

    if (mst_combine_shares(call, bytes))
        mst_team_do(call->team,
                    (mst_team_job){ .fn = make_part, .work = &all, .bytes = bytes, .lead = lead });
    else
        make_prefixes(&all, bytes);
}

/* ---- slices ---- */

/* Bytes that a slice of a round has at most: the distance between the prefixes that a rank stages. */
static size_t stride_of(const mst_call *call, size_t bytes)
{
    return mst_reduce_slice(call, bytes / call->request->element_bytes, 0).count;
}

static mst_slice slice_at(const mst_call *call, size_t bytes, int rank)
{
    return mst_reduce_slice(call, bytes / call->request->element_bytes, rank);
}

/* Makes all prefixes of our slice of the round, for the others in the slot of the next round, from
 * `result_at` on, and our own in `out`. */
static void scan_own_slice(const mst_call *call, size_t base, size_t bytes, size_t result_at, bool inclusive)
{
    mst_group *group = call->group;
    mst_slice own = slice_at(call, bytes, group->base.rank);
    size_t stride = stride_of(call, bytes);
    bool nontemporal = mst_store_is_nontemporal(&group->staging_stores, own.count);

    for (int rank = 0; rank < group->base.size; rank++) {
        bool is_own = rank == group->base.rank, has_prefix = inputs_of(rank, inclusive) > 0;
        unsigned char *to = NULL;

        if (has_prefix)
            to = is_own ? (unsigned char *)call->request->out + base + own.begin
                        : mst_slot(call) + result_at + (size_t)rank * stride;
        group->sources[rank] = is_own ? (const unsigned char *)call->request->in + base + own.begin
                                      : mst_view(call, rank, base + own.begin, own.begin);
        group->targets[rank] = (mst_target){ to, nontemporal && !is_own };
    }
    scan_sources(call, own.count, inclusive);
}

static void copy_others_slices(const mst_call *call, size_t base, size_t bytes, size_t result_at)
{
    int size = call->group->base.size, own = call->group->base.rank;
    size_t at = result_at + (size_t)own * stride_of(call, bytes);

    for (int i = 1; i < size; i++) {
        int rank = (own + i) % size;
        mst_slice slice = slice_at(call, bytes, rank);

        mst_deliver(call, base + slice.begin, mst_peer_slot(call, rank) + at, slice.count);
    }
}

/* All rounds; the first has been staged and has happened. A slot contains the inputs of one round and, after
 * them, all prefixes of our slice of the previous round. */
static muster_status scan_slices(mst_call *call, size_t all, size_t round, bool inclusive)
{
    bool has_prefix = inputs_of(call->group->base.rank, inclusive) > 0;
    muster_status status = MUSTER_OK;

    for (size_t base = 0; base < all && status == MUSTER_OK; base += round) {
        size_t bytes = all - base < round ? all - base : round, left = all - base - bytes;
        size_t next = left < round ? left : round;

        scan_own_slice(call, base, bytes, next, inclusive);
        if (next && !call->in_offset)
            mst_stage_others_slices(call, base + bytes, next, slice_at(call, next, call->group->base.rank));
        status = mst_round(call, next + (size_t)call->group->base.size * stride_of(call, bytes));
        if (status == MUSTER_OK && has_prefix)
            copy_others_slices(call, base, bytes, next);
    }
    return status;
}

/* ---- in the arena ---- */

static muster_status scan_in_arena(mst_call *call, size_t all, bool inclusive)
{
    mst_group *group = call->group;
    mst_slice own = slice_at(call, all, group->base.rank);
    bool stream = mst_streams_out(call);

    for (int rank = 0; rank < group->base.size; rank++) {
        group->sources[rank] = mst_view(call, rank, own.begin, 0);
        group->targets[rank] =
            (mst_target){ inputs_of(rank, inclusive) > 0 ? mst_view_out(call, rank, own.begin) : NULL,
                          stream };
    }
    scan_sources(call, own.count, inclusive);
    return mst_round(call, 0);
}

/* ---- all ---- */

/* Bytes of a round: together with the prefixes of a slice of the previous round they fit a slot, by half. The
 * same for `whole` and `slices`, since an input found in the arena changes the one into the other after the
 * first round. 0: a slot has less than two lines for each rank. */
static size_t round_bytes(const mst_call *call)
{
    size_t ranks = (size_t)call->group->base.size;

    return call->plan.small ? 0 : mst_slot_bytes(call) / (2 * ranks) / LINE_BYTES * LINE_BYTES * ranks;
}

muster_status mst_scan_ranks(mst_call *call, bool inclusive)
{
    size_t element = call->request->element_bytes, all = call->request->count * element;
    size_t round = round_bytes(call);

    if (call->plan.assembled)
        return mst_reduce_assembled(call, inputs_of(call->group->base.rank, inclusive));
    bool only_whole = round == 0; /* all is staged, then, what is in the arena, too */
    bool whole = only_whole || all <= call->group->tuning.whole_bytes_max;

    if (only_whole)
        round = call->plan.in_line ? all : mst_slot_bytes(call) / element * element;
    size_t bytes = all < round ? all : round;
    if (only_whole || (whole && !call->in_offset))
        mst_stage(call, 0, call->request->in, bytes);
    else if (!call->in_offset)
        mst_stage_others_slices(call, 0, bytes, slice_at(call, bytes, call->group->base.rank));
    muster_status status = mst_round(call, bytes);
    if (status != MUSTER_OK)
        return status;
    if (mst_all_inputs_in_arena(call) && mst_all_outputs_in_arena(call))
        return scan_in_arena(call, all, inclusive);
    if (only_whole || (whole && !mst_any_input_in_arena(call)))
        return scan_wholes(call, all, round, inclusive);
    return scan_slices(call, all, round, inclusive);
}

void mst_scan_inputs(const mst_inputs *inputs, bool inclusive)
{
    int count = inputs_of(inputs->call->group->base.rank, inclusive);

    if (count)
        mst_reduce_part(inputs, count, 0,
                        inputs->call->request->count * inputs->call->request->element_bytes);
}
