/*
 * The plans, by patterns.h and reductions.
 *
 * Reductions are over all inputs in rank order, by the kernels of one host, so their bits are those of one
 * host for every layout of ranks. Small inputs travel in the records of the agreement, or come to all ranks,
 * and each reduces them. Of large ones each rank gets its slice of all inputs and reduces it, and all get all
 * slices: of n ranks with N bytes each, 2N (n - 1) / n bytes for each rank. That is done in parts, so that
 * the memory for the slices stays bounded. Where that would send more between hosts, partial results go from
 * host to host (chain.h).
 */
#include "src/hosts/plans.h"

#include <string.h>

#include "src/hosts/agree.h"
#include "src/hosts/chain.h"
#include "src/hosts/patterns.h"

#define GATHERED_BYTES_MAX (256 * 1024) /* of all inputs together: every rank gets all */
#define PART_BYTES (4 * 1024 * 1024)    /* of a vector that is reduced at a time */
#define BROADCAST_BYTES_MAX (64 * 1024) /* larger ones go by slices */

static muster_status refuse_memory(void)
{
    return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a collective over several hosts");
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int own_of(const mst_run *run)
{
    return run->group->base.rank;
}

static int size_of(const mst_run *run)
{
    return run->group->base.size;
}

static char *out_of(const mst_run *run)
{
    return run->request.out;
}

static char *in_of(const mst_run *run)
{
    return (char *)(uintptr_t)run->request.in; /* ranges are for both directions */
}

static bool is_root(const mst_run *run)
{
    return own_of(run) == run->request.root;
}

/* How many of the first ranks' inputs this rank's output is made of. */
static int operands_of(const mst_run *run)
{
    if (run->request.collective == MST_SCAN)
        return own_of(run) + 1;
    return run->request.collective == MST_EXSCAN ? own_of(run) : size_of(run);
}

static bool has_output(const mst_run *run)
{
    const mst_shape *shape = &mst_shapes[run->request.collective];

    return mst_span_has(shape->out, run->request.root, own_of(run));
}

/* Reduces so many operands, which lie one behind the other in the row. If `own` is not NULL, this rank's
 * operand is there. */
static muster_status reduce_row(mst_run *run, void *to, const char *row, size_t stride, const void *own,
                                int operands, size_t count)
{
    const void **sources = mst_run_memory(run, (size_t)size_of(run) * sizeof *sources);

    if (!sources)
        return refuse_memory();
    for (int rank = 0; rank < operands; rank++)
        sources[rank] = rank == own_of(run) && own ? own : row + (size_t)rank * stride;
    return operands && count ? mst_run_reduce(run, to, sources, operands, count) : MUSTER_OK;
}

/* ---- inputs that came with the records ---- */

muster_status mst_finish_reduction(mst_run *run)
{
    return reduce_row(run, run->request.out, (const char *)run->records[0].payload, sizeof run->records[0],
                      NULL, operands_of(run), run->request.count);
}

muster_status mst_finish_broadcast(mst_run *run)
{
    const mst_request *request = &run->request;

    return mst_run_copy(run, request->out, run->records[request->root].payload,
                        request->count * request->element_bytes);
}

muster_status mst_finish_gather(mst_run *run)
{
    size_t bytes = run->request.count * run->request.element_bytes;
    muster_status status = MUSTER_OK;

    for (int rank = 0; rank < size_of(run) && status == MUSTER_OK; rank++)
        status = mst_run_copy(run, out_of(run) + (size_t)rank * bytes, run->records[rank].payload, bytes);
    return status;
}

/* ---- reductions that all ranks need all of ---- */

/* All inputs of a part come to all; each reduces those that it needs. */
muster_status mst_plan_gathered(mst_run *run)
{
    const mst_request *request = &run->request;
    size_t element = request->element_bytes, size = (size_t)size_of(run);
    size_t most = PART_BYTES / (element * size);
    size_t count = least(request->count - run->done, most ? most : 1), bytes = count * element;
    mst_ranges ranges;

    mst_run_forget(run);
    char *row = mst_run_memory(run, size * bytes);
    if (!row || !mst_ranges_make(run, row, &ranges))
        return refuse_memory();
    for (size_t rank = 0; rank < size; rank++) {
        ranges.bytes[rank] = bytes;
        ranges.at[rank] = rank * bytes;
    }
    memcpy(row + ranges.at[own_of(run)], in_of(run) + run->done * element, bytes);
    muster_status status = mst_pattern_gather(run, &ranges);
    if (status == MUSTER_OK && has_output(run))
        status =
            reduce_row(run, out_of(run) + run->done * element, row, bytes, NULL, operands_of(run), count);
    run->done += count;
    return status == MUSTER_OK && run->done < request->count ? mst_run_call(run, mst_plan_gathered) : status;
}

/* ---- reductions by slices ---- */

/* Slice by rank of so many elements. */
static void slice(mst_ranges *ranges, size_t size, size_t count, size_t element)
{
    for (size_t rank = 0; rank < size; rank++) {
        size_t begin = count / size * rank + least(rank, count % size);

        ranges->at[rank] = begin * element;
        ranges->bytes[rank] = (count / size + (rank < count % size)) * element;
    }
}

/* A row with room for `bytes` of each rank. */
static char *make_row(mst_run *run, size_t bytes, mst_ranges *ranges)
{
    size_t size = (size_t)size_of(run);
    char *row = mst_run_memory(run, size * bytes);

    if (!row || !mst_ranges_make(run, row, ranges))
        return NULL;
    for (size_t rank = 0; rank < size; rank++) {
        ranges->bytes[rank] = rank == (size_t)own_of(run) ? 0 : bytes;
        ranges->at[rank] = rank * bytes;
    }
    return row;
}

/* The slices to all, or to the root. */
static muster_status spread(mst_run *run, char *slice_at, mst_ranges *slices)
{
    int own = own_of(run), root = run->request.root;
    mst_ranges in, out;

    if (!mst_shapes[run->request.collective].rooted) {
        slices->base = out_of(run) + run->done * run->request.element_bytes;
        return mst_pattern_gather(run, slices);
    }
    if (!mst_ranges_make(run, slice_at, &in) ||
        !mst_ranges_make(run, is_root(run) ? out_of(run) + run->done * run->request.element_bytes : slice_at,
                         &out))
        return refuse_memory();
    in.bytes[root] = is_root(run) ? 0 : slices->bytes[own];
    for (int rank = 0; rank < size_of(run) && is_root(run); rank++) {
        out.bytes[rank] = rank == own ? 0 : slices->bytes[rank];
        out.at[rank] = slices->at[rank];
    }
    muster_status status = MUSTER_OK;
    if (is_root(run))
        status = mst_run_copy(run, (char *)out.base + slices->at[own], slice_at, slices->bytes[own]);
    return status == MUSTER_OK ? mst_pattern_exchange(run, &out, &in) : status;
}

/* Of a part, each rank reduces its slice. */
static muster_status plan_sliced(mst_run *run)
{
    const mst_request *request = &run->request;
    size_t element = request->element_bytes, size = (size_t)size_of(run), own = (size_t)own_of(run);
    size_t most = PART_BYTES / element > size ? PART_BYTES / element : size;
    size_t count = least(request->count - run->done, most);
    char *in = in_of(run) + run->done * element;
    mst_ranges slices, row_ranges;

    mst_run_forget(run);
    if (!mst_ranges_make(run, in, &slices))
        return refuse_memory();
    slice(&slices, size, count, element);
    char *row = make_row(run, slices.bytes[own], &row_ranges);
    bool rooted = mst_shapes[request->collective].rooted;
    char *reduced =
        rooted ? mst_run_memory(run, slices.bytes[own]) : out_of(run) + run->done * element + slices.at[own];
    if (!row || !reduced)
        return refuse_memory();
    muster_status status = mst_pattern_exchange(run, &row_ranges, &slices);
    if (status == MUSTER_OK)
        status = reduce_row(run, reduced, row, slices.bytes[own], in + slices.at[own], (int)size,
                            slices.bytes[own] / element);
    if (status == MUSTER_OK)
        status = spread(run, reduced, &slices);
    run->done += count;
    return status == MUSTER_OK && run->done < request->count ? mst_run_call(run, plan_sliced) : status;
}

muster_status mst_plan_reduction(mst_run *run)
{
    const mst_request *request = &run->request;
    size_t all = request->count * request->element_bytes * (size_t)size_of(run);

    if (all <= GATHERED_BYTES_MAX)
        return mst_plan_gathered(run);
    return mst_chain_pays(run) ? mst_plan_chain(run) : plan_sliced(run);
}

/* ---- a block of the reduction for each rank ---- */

static size_t block_count(const mst_run *run, int rank)
{
    const mst_request *request = &run->request;

    return mst_span_varied(mst_shapes[request->collective].in) ? request->in_blocks.counts[rank]
                                                               : request->count;
}

/* Where each block begins. */
static void place_blocks(const mst_run *run, const mst_blocks *blocks, bool varied, size_t *at)
{
    const mst_request *request = &run->request;

    if (varied) {
        mst_blocks_place(blocks, size_of(run), request->element_bytes, at);
        return;
    }
    for (int rank = 0; rank < size_of(run); rank++)
        at[rank] = (size_t)rank * request->count * request->element_bytes;
}

/* A part of each block: every rank gets its own one of all inputs. */
muster_status mst_plan_blocks(mst_run *run)
{
    size_t element = run->request.element_bytes, longest = 0;
    size_t most = PART_BYTES / (element * (size_t)size_of(run));
    int own = own_of(run);
    mst_ranges in, row_ranges;

    mst_run_forget(run);
    most = most ? most : 1;
    if (!mst_ranges_make(run, in_of(run), &in))
        return refuse_memory();
    place_blocks(run, &run->request.in_blocks, mst_span_varied(mst_shapes[run->request.collective].in),
                 in.at);
    for (int rank = 0; rank < size_of(run); rank++) {
        size_t whole = block_count(run, rank);

        longest = whole > longest ? whole : longest;
        in.at[rank] += run->done * element;
        in.bytes[rank] = whole > run->done ? least(whole - run->done, most) * element : 0;
    }
    size_t bytes = in.bytes[own];
    char *row = make_row(run, bytes, &row_ranges);
    if (!row)
        return refuse_memory();
    muster_status status = mst_pattern_exchange(run, &row_ranges, &in);
    if (status == MUSTER_OK)
        status = reduce_row(run, out_of(run) + run->done * element, row, bytes, in_of(run) + in.at[own],
                            size_of(run), bytes / element);
    run->done += most;
    return status == MUSTER_OK && run->done < longest ? mst_run_call(run, mst_plan_blocks) : status;
}

/* ---- what is moved ---- */

/* Blocks of all ranks to all. */
muster_status mst_plan_all_gather(mst_run *run)
{
    const mst_request *request = &run->request;
    bool varied = mst_shapes[request->collective].varied;
    int own = own_of(run);
    mst_ranges ranges;

    if (!mst_ranges_make(run, request->out, &ranges))
        return refuse_memory();
    place_blocks(run, &request->out_blocks, varied, ranges.at);
    for (int rank = 0; rank < size_of(run); rank++)
        ranges.bytes[rank] =
            (varied ? request->out_blocks.counts[rank] : request->count) * request->element_bytes;
    muster_status status = mst_run_copy(run, out_of(run) + ranges.at[own], request->in, ranges.bytes[own]);
    return status == MUSTER_OK ? mst_pattern_gather(run, &ranges) : status;
}

/* What this rank has of a buffer, for each rank: from or to the root only, or all. */
static bool fill_side(mst_run *run, mst_span span, const mst_blocks *blocks, bool other_is_roots, char *base,
                      mst_ranges *ranges)
{
    const mst_request *request = &run->request;
    bool varied = mst_span_varied(span), is_all = varied || span == SPAN_ALL || span == SPAN_ROOT_ALL;

    if (!mst_ranges_make(run, base, ranges))
        return false;
    if (!mst_span_has(span, request->root, own_of(run)))
        return true;
    if (is_all)
        place_blocks(run, blocks, varied, ranges->at);
    for (int rank = 0; rank < size_of(run); rank++)
        if (!other_is_roots || rank == request->root)
            ranges->bytes[rank] = (varied ? blocks->counts[rank] : request->count) * request->element_bytes;
    return true;
}

/* gather, scatter and all_to_all, with equal counts or not. */
muster_status mst_plan_exchange(mst_run *run)
{
    const mst_request *request = &run->request;
    const mst_shape *shape = &mst_shapes[request->collective];
    bool gathers = shape->out == SPAN_ROOT_ALL || shape->out == SPAN_ROOT_VARIED;
    bool scatters = shape->in == SPAN_ROOT_ALL || shape->in == SPAN_ROOT_VARIED;
    int own = own_of(run);
    mst_ranges in, out;

    if (!fill_side(run, shape->in, &request->in_blocks, gathers, in_of(run), &in) ||
        !fill_side(run, shape->out, &request->out_blocks, scatters, out_of(run), &out))
        return refuse_memory();
    muster_status status = mst_run_copy(run, out_of(run) + out.at[own], in_of(run) + in.at[own],
                                        least(in.bytes[own], out.bytes[own]));
    return status == MUSTER_OK ? mst_pattern_exchange(run, &out, &in) : status;
}

/* Large ones: a slice to each rank, and all slices to all. */
muster_status mst_plan_broadcast(mst_run *run)
{
    const mst_request *request = &run->request;
    size_t bytes = request->count * request->element_bytes;
    int root = request->root;
    mst_ranges slices, from_root, to_own;
    muster_status status = MUSTER_OK;

    if (is_root(run))
        status = mst_run_copy(run, request->out, request->in, bytes);
    if (status != MUSTER_OK || bytes <= BROADCAST_BYTES_MAX)
        return status == MUSTER_OK ? mst_pattern_broadcast(run, root, request->out, bytes) : status;
    if (!mst_ranges_make(run, request->out, &slices) || !mst_ranges_make(run, request->out, &from_root) ||
        !mst_ranges_make(run, request->out, &to_own))
        return refuse_memory();
    slice(&slices, (size_t)size_of(run), bytes, 1);
    for (int rank = 0; rank < size_of(run) && is_root(run); rank++) {
        from_root.bytes[rank] = rank == root ? 0 : slices.bytes[rank];
        from_root.at[rank] = slices.at[rank];
    }
    to_own.bytes[root] = is_root(run) ? 0 : slices.bytes[own_of(run)];
    to_own.at[root] = slices.at[own_of(run)];
    status = mst_pattern_exchange(run, &to_own, &from_root);
    return status == MUSTER_OK ? mst_pattern_gather(run, &slices) : status;
}

muster_status mst_plan_nothing(mst_run *run)
{
    (void)run;
    return MUSTER_OK;
}
