/*
 * Checks the counts and displacements of all_gatherv and the like, for varied.h: they are not NULL, their
 * sums fit into memory, no two blocks of an output share an element, and the buffers overlap only as a call
 * in place may. Only a backend can find out whether the ranks' counts agree. That a rank gives itself as much
 * as it takes from itself concerns no other rank, and is checked here.
 */
#include "src/api/varied.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/pure/partition.h"

/* One of the two buffers. */
typedef struct side {
    const char *name;
    const char *base;
    const mst_blocks *blocks; /* NULL: one block of the request's count */
    mst_blocks_size size;
    bool written;
} side;

static side side_of(const muster_group *group, const mst_request *request, bool is_out)
{
    mst_span span = is_out ? mst_shapes[request->collective].out : mst_shapes[request->collective].in;
    side made = { .name = is_out ? "out" : "in",
                  .base = is_out ? request->out : request->in,
                  .written = is_out };

    if (!mst_span_has(span, request->root, group->rank))
        return made;
    if (mst_span_varied(span))
        made.blocks = is_out ? &request->out_blocks : &request->in_blocks;
    else
        made.size = (mst_blocks_size){ request->count, 0, request->count };
    return made;
}

/* ---- one buffer ---- */

static bool is_side_wrong(const muster_group *group, const mst_request *request, side *side, char *why,
                          size_t bytes)
{
    int first, second;

    if (side->blocks && !side->blocks->counts) {
        snprintf(why, bytes, "the counts of the %s buffer are NULL; expected %d of them", side->name,
                 group->size);
        return true;
    }
    if ((side->blocks && !mst_blocks_measure(side->blocks, group->size, &side->size)) ||
        side->size.end > PTRDIFF_MAX / request->element_bytes ||
        side->size.total > PTRDIFF_MAX / request->element_bytes) {
        snprintf(why, bytes, "the blocks of the %s buffer are more bytes than memory can have", side->name);
        return true;
    }
    if (side->size.total && !side->base) {
        snprintf(why, bytes, "the %s buffer is NULL and should hold %zu elements", side->name,
                 side->size.end);
        return true;
    }
    if (side->written && side->blocks && !mst_blocks_disjoint(side->blocks, group->size, &first, &second)) {
        snprintf(why, bytes,
                 "blocks %d and %d of the out buffer overlap: %zu elements from %zu on, and %zu from %zu on",
                 first, second, side->blocks->counts[first], side->blocks->displacements[first],
                 side->blocks->counts[second], side->blocks->displacements[second]);
        return true;
    }
    return false;
}

/* ---- both buffers ---- */

static size_t place_of(const side *side, int rank)
{
    size_t packed = 0;

    if (!side->blocks)
        return 0;
    if (side->blocks->displacements)
        return side->blocks->displacements[rank];
    for (int r = 0; r < rank; r++)
        packed += side->blocks->counts[r];
    return packed;
}

static mst_placed_blocks placed(const muster_group *group, const side *side, const mst_blocks *single)
{
    return (mst_placed_blocks){ side->blocks ? side->blocks : single, side->blocks ? group->size : 1,
                                (uintptr_t)side->base };
}

static bool do_blocks_overlap(const muster_group *group, size_t element, const side *in, const side *out)
{
    const mst_blocks all_of_in = { &in->size.total, NULL }, all_of_out = { &out->size.total, NULL };
    mst_placed_blocks read = placed(group, in, &all_of_in), written = placed(group, out, &all_of_out);

    return mst_blocks_meet(&read, &written, element);
}

/* Buffers may overlap where no block does: the gaps between blocks are nobody's. */
static bool do_overlap(const muster_group *group, size_t element, const side *in, const side *out)
{
    const mst_blocks_size *a = &in->size, *b = &out->size;

    return a->total && b->total &&
           mst_overlap(in->base + a->begin * element, (a->end - a->begin) * element,
                       out->base + b->begin * element, (b->end - b->begin) * element) &&
           do_blocks_overlap(group, element, in, out);
}

/* The one block of the one buffer is this rank's block of the other. */
static bool is_in_place(const muster_group *group, const mst_request *request, const side *in,
                        const side *out)
{
    return mst_shapes[request->collective].in_place &&
           in->base + place_of(in, group->rank) * request->element_bytes ==
               out->base + place_of(out, group->rank) * request->element_bytes;
}

static bool are_sides_wrong(const muster_group *group, const mst_request *request, const side *in,
                            const side *out, char *why, size_t bytes)
{
    size_t given = mst_counts_of(&request->gives, group->rank);
    size_t taken = mst_counts_of(&request->takes, group->rank);

    if (given != taken)
        snprintf(why, bytes, "rank %d, this one, gives itself %zu elements and takes %zu from itself",
                 group->rank, given, taken);
    else if (do_overlap(group, request->element_bytes, in, out) && !is_in_place(group, request, in, out))
        snprintf(why, bytes, "the in and out buffers overlap; expected separate buffers%s",
                 mst_shapes[request->collective].in_place
                     ? ", or this rank's block at its place in the larger one"
                     : "");
    else
        return false;
    return true;
}

/* Writes down what the counts say, for the backend. */
static void describe_counts(const muster_group *group, mst_request *request, const side *in, const side *out)
{
    const mst_shape *shape = &mst_shapes[request->collective];

    request->gives = mst_counts_through(shape->in, shape->out, request->in_blocks.counts, request->count,
                                        request->root, group->rank, group->size);
    request->takes = mst_counts_through(shape->out, shape->in, request->out_blocks.counts, request->count,
                                        request->root, group->rank, group->size);
    request->in_elements = in->size.total;
    request->out_elements = out->size.total;
    request->elements = in->size.total > out->size.total ? in->size.total : out->size.total;
}

bool mst_varied_wrong(const muster_group *group, mst_request *request, char *why, size_t bytes)
{
    side in = side_of(group, request, false), out = side_of(group, request, true);

    if (is_side_wrong(group, request, &in, why, bytes) || is_side_wrong(group, request, &out, why, bytes))
        return true;
    describe_counts(group, request, &in, &out);
    return are_sides_wrong(group, request, &in, &out, why, bytes);
}

/* ---- calls that are repeated ---- */

/* Where the group keeps the counts and displacements of one of the two buffers: a number for each rank,
 * twice. */
static size_t *kept_of(const muster_group *group, bool is_out)
{
    return group->latest_counts + (is_out ? 2 * (size_t)group->size : 0);
}

static bool has_blocks(const muster_group *group, const mst_request *request, bool is_out)
{
    mst_span span = is_out ? mst_shapes[request->collective].out : mst_shapes[request->collective].in;

    return mst_span_varied(span) && mst_span_has(span, request->root, group->rank);
}

/* Most groups are small, and a call of memcmp takes longer than a few comparisons. */
static inline bool are_equal(const size_t *a, const size_t *b, size_t size)
{
    if (size > 16)
        return memcmp(a, b, size * sizeof *a) == 0;
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

static inline bool are_kept(const mst_blocks *now, const mst_blocks *kept, size_t size)
{
    return now->counts && are_equal(now->counts, kept->counts, size) &&
           !now->displacements == !kept->displacements &&
           (!now->displacements || are_equal(now->displacements, kept->displacements, size));
}

bool mst_varied_repeated(const muster_group *group, const mst_request *request)
{
    const mst_request *latest = &group->latest;
    size_t size = (size_t)group->size;

    return (!latest->in_blocks.counts || are_kept(&request->in_blocks, &latest->in_blocks, size)) &&
           (!latest->out_blocks.counts || are_kept(&request->out_blocks, &latest->out_blocks, size));
}

/* Makes copies of the arrays, and has them used; of those that this rank is to ignore there are none. */
static void keep_if(bool used, mst_blocks *blocks, size_t *kept, size_t size)
{
    if (!used) {
        *blocks = (mst_blocks){ 0 };
        return;
    }
    memcpy(kept, blocks->counts, size * sizeof *kept);
    blocks->counts = kept;
    if (blocks->displacements) {
        memcpy(kept + size, blocks->displacements, size * sizeof *kept);
        blocks->displacements = kept + size;
    }
}

bool mst_varied_remember(muster_group *group)
{
    mst_request *latest = &group->latest;
    size_t size = (size_t)group->size;

    if (!group->latest_counts)
        group->latest_counts = malloc(4 * size * sizeof *group->latest_counts);
    if (!group->latest_counts)
        return false;
    keep_if(has_blocks(group, latest, false), &latest->in_blocks, kept_of(group, false), size);
    keep_if(has_blocks(group, latest, true), &latest->out_blocks, kept_of(group, true), size);
    if (latest->gives.counts)
        latest->gives.counts = latest->in_blocks.counts;
    if (latest->takes.counts)
        latest->takes.counts = latest->out_blocks.counts;
    return true;
}
