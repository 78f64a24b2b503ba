/*
 * The stream pattern, for all_gatherv, gatherv, scatterv and all_to_allv.
 *
 * Each rank's stream (varied.h) is what it gives to the others: its block, where all get the same; otherwise
 * a table of where each rank's block begins, unless it came with the head, and the blocks one behind the
 * other. Per round each rank stages the next window of its stream, all do one round, and each rank copies
 * what is for it in the others' windows; as many rounds as the longest stream takes. An input in the arena is
 * read there after the first round, with one more round at the end; then the table says where in it each
 * block is. So how much is staged depends on what a rank gives in all, and not on the largest of its blocks.
 *
 * Cost, for a rank that gives G bytes and takes T: one synchronisation for each window of the longest stream,
 * 2 G bytes of traffic to stage and 2 T to copy; 2 p hashes for the balance, and p numbers of the table.
 */
#include "src/onehost/coll/stream_pattern.h"

#include <string.h>

#include "src/onehost/coll/disagree.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/varied.h"
#include "src/onehost/coll/view.h"

/* A part of the streams: what is staged for one round. */
typedef struct window {
    uint64_t begin, bytes;
    bool first;
} window;

static window cut(const window *window, uint64_t at, uint64_t bytes)
{
    uint64_t begin = at > window->begin ? at : window->begin;
    uint64_t end = at + bytes < window->begin + window->bytes ? at + bytes : window->begin + window->bytes;

    return (struct window){ begin, end > begin ? end - begin : 0, window->first };
}

/* ---- staging ---- */

/* Stages what the window has of `bytes` bytes that are at `at` in the stream. */
static void stage_part(const mst_call *call, const window *window, uint64_t at, const void *from,
                       uint64_t bytes)
{
    struct window part = cut(window, at, bytes);

    if (part.bytes)
        mst_stage(call, part.begin - window->begin + (window->first ? mst_varied_begin(call) : 0),
                  (const unsigned char *)from + (part.begin - at), part.bytes);
}

static void stage_window(const mst_call *call, const mst_varied *varied, const window *window)
{
    const unsigned char *in = call->request->in;
    int size = call->group->base.size, own = call->group->base.rank;
    const mst_varied_head *head = &varied->heads[own];

    if (window->begin >= head->bytes)
        return;
    if (!varied->is_tabled) {
        stage_part(call, window, 0, in, head->bytes);
        return;
    }
    if (!varied->is_beside)
        stage_part(call, window, 0, varied->table, (size_t)size * sizeof varied->table[0]);
    for (int rank = 0; rank < size && !head->in_offset; rank++)
        if (rank != own)
            stage_part(call, window, varied->table[rank], in + mst_varied_at(varied->in_at, rank),
                       mst_counts_of(&call->request->gives, rank) * call->request->element_bytes);
}

/* ---- taking ---- */

/* Whether this window tells where our block is in that rank's stream, or in its input. */
static bool learn_place(const mst_call *call, mst_varied *varied, int rank, const window *window)
{
    uint64_t entry = (uint64_t)call->group->base.rank * sizeof(uint64_t);

    if (!varied->is_tabled || varied->is_beside)
        return window->first;
    if (cut(window, entry, sizeof(uint64_t)).bytes == 0)
        return false;
    memcpy(&varied->from_at[rank], mst_varied_slot(call, rank, window->first) + (entry - window->begin),
           sizeof(uint64_t)); /* E2: read once */
    return true;
}

static muster_status take_from_arena(const mst_call *call, const mst_varied *varied, int rank, uint64_t at,
                                     size_t bytes)
{
    const unsigned char *from = mst_varied_in_arena(call, rank, at, bytes);

    if (!from)
        return mst_varied_damaged(call, rank);
    mst_deliver(call, mst_varied_at(varied->out_at, rank), from, bytes);
    return MUSTER_OK;
}

/* Takes what the window has of the bytes that a rank gives us. */
static muster_status take_from(const mst_call *call, mst_varied *varied, int rank, const window *window)
{
    size_t bytes = mst_counts_of(&call->request->takes, rank) * call->request->element_bytes;

    if (bytes == 0)
        return MUSTER_OK;
    const mst_varied_head *head = &varied->heads[rank];
    bool learnt = learn_place(call, varied, rank, window);
    uint64_t at = varied->is_tabled ? varied->from_at[rank] : 0;
    if (head->in_offset)
        return learnt ? take_from_arena(call, varied, rank, at, bytes) : MUSTER_OK;
    if (learnt && (at > head->bytes || bytes > head->bytes - at))
        return mst_varied_damaged(call, rank);
    struct window part = cut(window, at, bytes);
    if (part.bytes)
        mst_deliver(call, mst_varied_at(varied->out_at, rank) + (part.begin - at),
                    mst_varied_slot(call, rank, window->first) + (part.begin - window->begin), part.bytes);
    return MUSTER_OK;
}

/* Of the block that all get, what we have just staged, which is still in our cache; otherwise our own block
 * in the last round. */
static void take_own(const mst_call *call, const mst_varied *varied, const window *window)
{
    int own = call->group->base.rank;
    size_t bytes = mst_counts_of(&call->request->takes, own) * call->request->element_bytes;
    bool in_parts = !varied->is_tabled && varied->heads[own].bytes;
    bool is_last = window->begin + window->bytes >= varied->longest;
    struct window part = in_parts ? cut(window, 0, bytes) : (struct window){ 0, is_last ? bytes : 0, false };

    if (part.bytes)
        mst_deliver(call, mst_varied_at(varied->out_at, own) + part.begin,
                    (const unsigned char *)call->request->in + mst_varied_at(varied->in_at, own) + part.begin,
                    part.bytes);
}

static muster_status take_window(const mst_call *call, mst_varied *varied, const window *window)
{
    int size = call->group->base.size, rank = call->group->base.rank;
    muster_status status = MUSTER_OK;

    for (int i = 1; i < size && status == MUSTER_OK; i++) {
        rank = rank + 1 < size ? rank + 1 : 0;
        status = take_from(call, varied, rank, window);
    }
    take_own(call, varied, window);
    return status;
}

/* Whether the first window has all, and no block has to be looked for in it: the usual call. */
static bool is_whole(const mst_varied *varied)
{
    return varied->longest <= varied->window && !varied->any_in_arena &&
           varied->is_tabled == varied->is_beside;
}

static void take_own_block(const mst_call *call, const mst_varied *varied)
{
    const mst_request *request = call->request;
    int own = call->group->base.rank;
    size_t bytes = mst_counts_of(&request->takes, own) * request->element_bytes;

    if (bytes)
        mst_deliver(call, mst_varied_at(varied->out_at, own),
                    (const unsigned char *)request->in + mst_varied_at(varied->in_at, own), bytes);
}

static muster_status take_whole(const mst_call *call, const mst_varied *varied)
{
    const mst_request *request = call->request;
    int size = call->group->base.size, rank = call->group->base.rank;

    for (int i = 1; i < size; i++) {
        rank = rank + 1 < size ? rank + 1 : 0;
        size_t bytes = mst_counts_of(&request->takes, rank) * request->element_bytes;
        uint64_t at = varied->is_tabled ? varied->from_at[rank] : 0, all = varied->heads[rank].bytes;

        if (bytes == 0)
            continue;
        if (at > all || bytes > all - at)
            return mst_varied_damaged(call, rank);
        mst_deliver(call, mst_varied_at(varied->out_at, rank), mst_varied_slot(call, rank, true) + at, bytes);
    }
    take_own_block(call, varied);
    return MUSTER_OK;
}

/* ---- the same again, of small blocks ---- */

static void list_copy(const mst_call *call, mst_varied_copy *copies, int *count, mst_varied_copy copy)
{
    if (copy.bytes == 0)
        return;
    copy.in_slot = mst_varied_has_slot(call, copy.rank);
    copy.at += copy.in_slot ? 0 : MST_VARIED_AGAIN_BEGIN;
    copies[(*count)++] = copy;
}

static void list_staged(const mst_call *call, mst_varied *varied, size_t at, size_t in_at, size_t bytes)
{
    list_copy(call, varied->copies, &varied->staged,
              (mst_varied_copy){ .rank = call->group->base.rank,
                                 .at = at,
                                 .bytes = bytes,
                                 .from = (const unsigned char *)call->request->in + in_at });
}

static void list_taken(const mst_call *call, mst_varied *varied, int rank)
{
    const mst_request *request = call->request;

    list_copy(call, varied->copies + call->group->base.size, &varied->taken,
              (mst_varied_copy){ .rank = rank,
                                 .at = varied->is_tabled ? varied->from_at[rank] : 0,
                                 .bytes = mst_counts_of(&request->takes, rank) * request->element_bytes,
                                 .to = (unsigned char *)request->out + mst_varied_at(varied->out_at, rank) });
}

/* Lists what a call that repeats this one copies if the others say "again", too. Buffers are those of this
 * call then, and streams begin at one place. */
static void list_copies(const mst_call *call, mst_varied *varied)
{
    const mst_request *request = call->request;
    int size = call->group->base.size, own = call->group->base.rank, rank = own;

    varied->staged = varied->taken = 0;
    if (!varied->is_tabled)
        list_staged(call, varied, 0, 0, varied->heads[own].bytes);
    for (int i = 1; i < size; i++) {
        rank = rank + 1 < size ? rank + 1 : 0;
        if (varied->is_tabled)
            list_staged(call, varied, varied->table[rank], mst_varied_at(varied->in_at, rank),
                        mst_counts_of(&request->gives, rank) * request->element_bytes);
        list_taken(call, varied, rank);
    }
    varied->is_listed = true;
}

/* Slots of up to 2 KiB: memcpy copies so much itself with vectors. */
static void stage_listed(const mst_call *call, const mst_varied *varied)
{
    unsigned char *slot = mst_slot(call);

    mst_fault_point("slot.fill");
    for (const mst_varied_copy *copy = varied->copies; copy < varied->copies + varied->staged; copy++)
        mst_copy(slot + copy->at, copy->from, copy->bytes);
}

static const unsigned char *listed_slot(const mst_call *call, const mst_varied_copy *copy)
{
    return copy->in_slot ? mst_staging_last(&call->group->staging, MST_STAGING_SMALL, copy->rank)
                         : mst_sequence_arrival(call->sequence, copy->rank)->payload;
}

static void take_listed(const mst_call *call, const mst_varied *varied)
{
    const mst_varied_copy *first = varied->copies + call->group->base.size;

    for (const mst_varied_copy *copy = first; copy < first + varied->taken; copy++)
        mst_copy(copy->to, listed_slot(call, copy) + copy->at, copy->bytes); /* E2 */
    take_own_block(call, varied);
}

/* ---- all rounds ---- */

muster_status mst_move_streams(mst_call *call)
{
    mst_varied *varied = call->group->varied;
    window window = { 0, varied->window, true };

    if (varied->is_listed)
        stage_listed(call, varied);
    else
        stage_window(call, varied, &window);
    muster_status status = mst_varied_meet(call);
    if (status != MUSTER_OK)
        return status;
    if (varied->is_listed) {
        take_listed(call, varied);
        return MUSTER_OK;
    }
    if (is_whole(varied)) {
        status = take_whole(call, varied);
        if (status == MUSTER_OK && varied->all_small && !mst_streams_out(call))
            list_copies(call, varied);
        return status;
    }
    window.bytes = varied->window;
    status = take_window(call, varied, &window);
    if (varied->longest > varied->window)
        mst_varied_use_ring(call);
    while (status == MUSTER_OK && window.begin + window.bytes < varied->longest) {
        window.begin += window.bytes;
        window.first = false;
        size_t left = varied->longest - window.begin;
        stage_window(call, varied, &window);
        status = mst_round(call, left < window.bytes ? left : window.bytes);
        if (status == MUSTER_OK)
            status = take_window(call, varied, &window);
    }
    return status == MUSTER_OK ? mst_varied_end(call) : status;
}

/* ---- started ---- */

void mst_take_inputs(const mst_inputs *inputs)
{
    const mst_request *request = inputs->call->request;
    const mst_blocks *out = &request->out_blocks;
    size_t packed = 0;

    for (int rank = 0; rank < inputs->call->group->base.size; rank++) {
        size_t count = mst_counts_of(&request->takes, rank);
        size_t at = request->takes.counts && out->displacements ? out->displacements[rank] : packed;

        packed += count;
        if (count)
            mst_deliver(inputs->call, at * request->element_bytes, inputs->in[rank],
                        count * request->element_bytes);
    }
}
