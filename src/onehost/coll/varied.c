/* Streams, their heads and the first round, for varied.h. */
#include "src/onehost/coll/varied.h"

#include <stdlib.h>
#include <string.h>

#include "src/onehost/coll/agree.h"
#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/disagree.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/view.h"

#define ALIGNED_BYTES_MIN 4096              /* of a stream: a smaller one has no bytes to spare */
#define TABLE_BEGIN sizeof(mst_varied_head) /* of one in a payload */

static_assert(MST_RANKS_MAX <= MST_BLOCKS_MAX, "blocks.h must sort the blocks of all ranks");

/* ---- preparing ---- */

static mst_varied *allocate(size_t size)
{
    mst_varied *varied =
        calloc(1, sizeof *varied + size * (3 * sizeof(size_t) + 2 * sizeof(uint64_t) +
                                           sizeof(mst_varied_head) + 2 * sizeof(mst_varied_copy)));
    if (!varied)
        return NULL;
    varied->copies = (mst_varied_copy *)(varied + 1);
    varied->heads = (mst_varied_head *)(varied->copies + 2 * size);
    varied->table = (uint64_t *)(varied->heads + size);
    varied->from_at = varied->table + size;
    varied->places = (size_t *)(varied->from_at + size);
    varied->begins = varied->places + 2 * size;
    return varied;
}

/* Where the blocks of a buffer are, by rank; NULL: there is one, at its beginning. */
static const size_t *place(const mst_call *call, mst_span span, const mst_blocks *blocks, size_t *at)
{
    if (!mst_span_varied(span) || !mst_span_has(span, call->request->root, call->group->base.rank))
        return NULL;
    mst_blocks_place(blocks, call->group->base.size, call->request->element_bytes, at);
    return at;
}

size_t mst_varied_needed(const mst_call *call)
{
    const mst_request *request = call->request;
    const mst_counts *gives = &request->gives;
    int own = call->group->base.rank;
    bool to_itself_only = gives->first == own && gives->end == own + 1;
    size_t elements = gives->first < gives->end && !to_itself_only ? gives->each : 0;

    if (gives->counts) {
        elements = request->in_elements - mst_counts_of(gives, own);
        if (elements && mst_shapes[request->collective].reduces)
            elements = request->in_elements;
    }
    return elements * request->element_bytes;
}

uint64_t mst_varied_in_offset(const mst_call *call, size_t needed, size_t *begin)
{
    const mst_request *request = call->request;
    mst_blocks_size size = { request->count, 0, request->count };

    *begin = 0;
    if (needed < call->group->tuning.view_bytes_min)
        return 0;
    if (mst_span_varied(mst_shapes[request->collective].in))
        mst_blocks_measure(&request->in_blocks, call->group->base.size, &size);
    *begin = size.begin * request->element_bytes;
    return mst_group_heap_offset(call->group, (const unsigned char *)request->in + *begin,
                                 (size.end - size.begin) * request->element_bytes);
}

/* A table in the stream is read before a block can be, one line more to wait for. A short one comes with the
 * head, in a line that is awaited anyway. What follows keeps the alignment of elements. */
static void place_table(mst_varied *varied, size_t size)
{
    size_t behind = TABLE_BEGIN + size * sizeof(uint64_t);

    varied->is_beside = varied->is_tabled && behind <= MST_PAYLOAD_BYTES;
    if (!varied->is_beside) /* else those of ranks that repeat their call stay */
        memset(varied->from_at, 0xff, size * sizeof(uint64_t));
    varied->payload_begin = ((varied->is_beside ? behind : TABLE_BEGIN) + 15) / 16 * 16;
}

static size_t table_in_stream(const mst_varied *varied, size_t size)
{
    return varied->is_beside ? 0 : size * sizeof(uint64_t);
}

/* Blocks follow the table from the next rank's on, and end with that of the rank before ours: so each rank
 * has its block in another window, and none waits for all the others to take theirs. In a large stream
 * the first begins with a line, and so do the others if blocks are whole lines: copies between lines that do
 * not match take longer. Returns where they end. */
static size_t fill_table(const mst_call *call, mst_varied *varied, size_t needed)
{
    int size = call->group->base.size;
    size_t at = table_in_stream(varied, (size_t)size);

    if (needed >= ALIGNED_BYTES_MIN)
        at = (at + MST_CACHE_LINE_BYTES - 1) / MST_CACHE_LINE_BYTES * MST_CACHE_LINE_BYTES;

    for (int i = 1; i <= size; i++) {
        int rank = call->group->base.rank + i < size ? call->group->base.rank + i
                                                     : call->group->base.rank + i - size;

        varied->table[rank] = at;
        if (i < size)
            at += mst_counts_of(&call->request->gives, rank) * call->request->element_bytes;
    }
    return at;
}

/* Of two heads that differ in one number it differs, of others but for chance; of one that is all zeros it is
 * not 0. */
static uint64_t check_of(const mst_varied_head *head)
{
    uint64_t mixed = (head->bytes ^ (head->in_offset << 32 | head->in_offset >> 32)) * 0x9e3779b97f4a7c15ULL;

    return (mixed + head->balance + 1) * 0xbf58476d1ce4e5b9ULL;
}

/* Decides whether the input is staged, and how long the stream is. */
static void plan_stream(mst_call *call, mst_varied *varied, mst_varied_head *head)
{
    size_t needed = mst_varied_needed(call), begin;
    int size = call->group->base.size;

    call->plan.in_bytes = needed;
    head->in_offset = mst_varied_in_offset(call, needed, &begin);
    head->bytes = head->in_offset ? 0 : needed;
    if (!varied->is_tabled || needed == 0)
        return;
    head->bytes = head->in_offset ? table_in_stream(varied, (size_t)size) : fill_table(call, varied, needed);
    for (int rank = 0; head->in_offset && rank < size; rank++)
        varied->table[rank] = mst_varied_at(varied->in_at, rank) - begin;
}

/* ---- places ---- */

/* Also behind a head, but how many lines that takes is asked of a call that says "again". */
static bool fits_payload(const mst_call *call, size_t bytes)
{
    return MST_VARIED_AGAIN_BEGIN + bytes <= call->group->tuning.payload_bytes_max &&
           call->group->varied->payload_begin + bytes <= MST_PAYLOAD_BYTES;
}

/* Half of a slot, as for other collectives. */
static bool fits_small(const mst_call *call, size_t bytes)
{
    return 2 * bytes <= mst_staging_small_max(&call->group->staging);
}

/* What only the root stages is divided into rounds as for scatter. */
static size_t window_for(const mst_call *call, uint64_t longest)
{
    size_t most = mst_staging_chunk_max(&call->group->staging, MST_STAGING_RING);

    return mst_shapes[call->request->collective].in == SPAN_ROOT_VARIED
               ? mst_call_round_bytes(call, (size_t)longest, most)
               : most;
}

static void choose_places(mst_call *call, const mst_varied *varied)
{
    size_t bytes = varied->heads[call->group->base.rank].bytes;

    call->plan.out_bytes = call->request->out_elements * call->request->element_bytes;
    call->plan.request = mst_request_packed(call);
    mst_combine_plan(call);
    call->plan.in_line = fits_payload(call, bytes);
    call->plan.part = fits_small(call, bytes) ? MST_STAGING_SMALL : MST_STAGING_RING;
    call->plan.small = call->plan.part == MST_STAGING_SMALL;
}

bool mst_varied_prepare(mst_call *call)
{
    mst_group *group = call->group;
    const mst_request *request = call->request;
    const mst_shape *shape = &mst_shapes[request->collective];

    if (!group->varied)
        group->varied = allocate((size_t)group->base.size);
    mst_varied *varied = group->varied;
    if (!varied) {
        group->plan.made = false;
        return false;
    }
    if (request->repeated && group->plan.made) {
        call->plan = group->plan;
        return true;
    }
    varied->is_known = varied->is_listed = false;
    varied->is_tabled = mst_span_varied(shape->in) && !shape->reduces;
    place_table(varied, (size_t)group->base.size);
    varied->in_at = place(call, shape->in, &request->in_blocks, varied->places);
    varied->out_at = place(call, shape->out, &request->out_blocks, varied->places + group->base.size);
    mst_varied_head *head = &varied->heads[group->base.rank];
    head->balance = mst_counts_balance(&request->gives, &request->takes, group->base.rank);
    plan_stream(call, varied, head);
    head->check = check_of(head);
    varied->window = window_for(call, head->bytes);
    choose_places(call, varied);
    /* Whether buffers are in the arena may change from call to call. */
    call->plan.made = !request->unusual && call->plan.in_bytes < group->tuning.view_bytes_min;
    group->plan = call->plan;
    return true;
}

/* ---- the first round ---- */

/* In place of a head that is the same as in the rank's latest call: which one, in 63 bits, and no length. */
static uint64_t again(const mst_varied_head *head)
{
    return 1ULL << 63 | head->check >> 1;
}

/* Writes our head, and what comes with it, into the payload. */
static void write_head(const mst_call *call, mst_varied *varied)
{
    size_t size = (size_t)call->group->base.size;
    int own = call->group->base.rank;
    unsigned char *payload = mst_sequence_next(call->sequence)->payload;

    varied->begins[own] = mst_varied_payload_begin(varied);
    if (varied->is_known) {
        uint64_t word = again(&varied->heads[own]);

        memcpy(payload, &word, sizeof word);
        return;
    }
    memcpy(payload, &varied->heads[own], sizeof varied->heads[0]);
    if (varied->is_beside)
        memcpy(payload + TABLE_BEGIN, varied->table, size * sizeof varied->table[0]);
}

/* Whether the rank says "again", of the head that we have from its latest call. Of one that says it of
 * another head, the length is not right. Nothing relies on two reads of the word being the same: if it says
 * "again" the head is our own copy, else the copy that is made then is checked. */
static inline bool is_again(const mst_call *call, const mst_varied *varied, int rank)
{
    uint64_t word;

    memcpy(&word, mst_sequence_arrival(call->sequence, rank)->payload, sizeof word); /* E2 */
    return word == again(&varied->heads[rank]);
}

static void read_head(const mst_call *call, mst_varied *varied, int rank)
{
    const unsigned char *payload = mst_sequence_arrival(call->sequence, rank)->payload; /* E2 */
    size_t own = (size_t)call->group->base.rank;

    if (is_again(call, varied, rank)) {
        varied->begins[rank] = MST_VARIED_AGAIN_BEGIN;
        return;
    }
    varied->begins[rank] = varied->payload_begin;
    memcpy(&varied->heads[rank], payload, sizeof varied->heads[0]);
    if (varied->is_beside)
        memcpy(&varied->from_at[rank], payload + TABLE_BEGIN + own * sizeof(uint64_t), sizeof(uint64_t));
}

/* Whether this rank and all others repeat their latest call: then all that was found out in it holds. */
static bool are_heads_known(const mst_call *call, const mst_varied *varied)
{
    bool known = varied->is_known;

    for (int rank = 0; rank < call->group->base.size && known; rank++) {
        known = rank == call->group->base.rank || is_again(call, varied, rank);
        varied->begins[rank] = MST_VARIED_AGAIN_BEGIN;
    }
    return known;
}

/* Reads the heads of all. *balance: the sum of the balances. */
static muster_status read_heads(mst_call *call, mst_varied *varied, uint64_t *balance)
{
    varied->is_known = varied->is_listed = false;
    varied->longest = 0;
    varied->any_in_arena = false;
    varied->all_small = true;
    varied->most_in_slots = 0;
    for (int rank = 0; rank < call->group->base.size; rank++) {
        mst_varied_head *head = &varied->heads[rank];

        if (rank != call->group->base.rank) /* the peers have our own line now */
            read_head(call, varied, rank);
        if (check_of(head) != head->check)
            return mst_varied_damaged(call, rank);
        *balance += head->balance;
        varied->longest = head->bytes > varied->longest ? head->bytes : varied->longest;
        varied->any_in_arena |= head->in_offset != 0;
        varied->all_small &= fits_small(call, head->bytes);
        if (!fits_payload(call, head->bytes) && fits_small(call, head->bytes) &&
            head->bytes > varied->most_in_slots)
            varied->most_in_slots = head->bytes;
    }
    varied->window = window_for(call, varied->longest);
    varied->is_known = *balance == 0;
    return MUSTER_OK;
}

static void turn_staging(const mst_call *call, const mst_varied *varied)
{
    mst_staging *staging = &call->group->staging;

    if (varied->most_in_slots)
        mst_staging_turn(staging, MST_STAGING_SMALL, 0);
    if (call->plan.small && !call->plan.in_line &&
        varied->heads[call->group->base.rank].bytes <= MST_FEW_BYTES)
        mst_call_prefetch(call, (size_t)varied->heads[call->group->base.rank].bytes);
    if (!fits_small(call, varied->longest))
        mst_staging_turn(staging, MST_STAGING_RING,
                         varied->longest < varied->window ? varied->longest : varied->window);
}

muster_status mst_varied_meet(mst_call *call)
{
    mst_varied *varied = call->group->varied;
    const mst_varied_head *own = &varied->heads[call->group->base.rank];
    uint64_t balance = 0;

    write_head(call, varied);
    call->others_in_slots = varied->is_known ? varied->most_in_slots : 0;
    muster_status status = mst_round_varied(call, varied->begins[call->group->base.rank] +
                                                      (call->plan.in_line ? (size_t)own->bytes : 0));
    if (status == MUSTER_OK && !are_heads_known(call, varied))
        status = read_heads(call, varied, &balance);
    if (status != MUSTER_OK || (varied->is_listed && !varied->most_in_slots))
        return status;
    call->views = varied->any_in_arena;
    turn_staging(call, varied);
    return balance == 0 ? MUSTER_OK : mst_varied_disagree(call);
}

muster_status mst_varied_end(mst_call *call)
{
    if (!call->group->varied->any_in_arena)
        return MUSTER_OK;
    mst_varied_use_ring(call);
    return mst_round(call, 0);
}

bool mst_varied_has_slot(const mst_call *call, int rank)
{
    return !fits_payload(call, call->group->varied->heads[rank].bytes);
}

const unsigned char *mst_varied_slot(const mst_call *call, int rank, bool first)
{
    bool is_small = first && fits_small(call, call->group->varied->heads[rank].bytes);

    if (first && !mst_varied_has_slot(call, rank))
        return mst_sequence_arrival(call->sequence, rank)->payload + call->group->varied->begins[rank];
    return mst_staging_last(&call->group->staging, is_small ? MST_STAGING_SMALL : MST_STAGING_RING, rank);
}

const unsigned char *mst_varied_in_arena(const mst_call *call, int rank, uint64_t at, size_t bytes)
{
    const mst_subarena *subarena = call->group->subarena;
    uint64_t offset;

    if (__builtin_add_overflow(call->group->varied->heads[rank].in_offset, at, &offset))
        return NULL;
    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->members[rank].seat, offset, bytes);
}

/* ---- groups of one, results ---- */

void mst_varied_alone(const mst_call *call)
{
    const mst_request *request = call->request;
    const mst_blocks *in = &request->in_blocks, *out = &request->out_blocks;
    size_t from = in->displacements ? in->displacements[0] : 0;
    size_t to = out->displacements ? out->displacements[0] : 0, count = mst_counts_of(&request->takes, 0);

    if (count)
        mst_combine_alone(call, (unsigned char *)request->out + to * request->element_bytes,
                          (const unsigned char *)request->in + from * request->element_bytes,
                          count * request->element_bytes);
}

void *mst_varied_result(const mst_call *call, size_t *bytes)
{
    const mst_request *request = call->request;
    int size = call->group->base.size, rank = 0;

    while (rank < size && mst_counts_of(&request->takes, rank) == 0)
        rank++;
    *bytes = rank < size ? mst_counts_of(&request->takes, rank) * request->element_bytes : 0;
    if (*bytes == 0)
        return request->out;
    size_t at = 0;
    if (mst_span_varied(mst_shapes[request->collective].out) && request->out_blocks.displacements)
        at = request->out_blocks.displacements[rank] * request->element_bytes;
    return (unsigned char *)request->out + at;
}
