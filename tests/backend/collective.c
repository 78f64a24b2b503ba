/*
 * Collectives of the backend of threads. Each is a rendezvous: a rank posts what it was asked to do, with a
 * copy of its input, waits until all have come, compares, and computes its own output from the copies. A
 * started one does the same when it is started and when it is completed (started.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/backend/handle.h"

static void describe(const mst_request *request, char *text, size_t bytes)
{
    const mst_shape *shape = &mst_shapes[request->collective];

    mst_asked asked = { .collective = request->collective,
                        .dtype = request->dtype,
                        .op = request->op,
                        .op_name = request->made ? request->made->name : NULL,
                        .root = shape->rooted ? request->root : -1,
                        .count = request->elements };

    mst_collective_describe(&asked, text, bytes);
}

/* Of a buffer, from its beginning to the end of its last block. */
static size_t bytes_of(const handle *handle, const mst_request *request, mst_span span,
                       const mst_blocks *blocks)
{
    mst_blocks_size size;

    if (mst_span_varied(span) && mst_span_has(span, request->root, handle->base.rank) &&
        mst_blocks_measure(blocks, handle->base.size, &size))
        return size.end * request->element_bytes;
    return mst_span_blocks(span, request->root, handle->base.rank, handle->base.size) * request->count *
           request->element_bytes;
}

/* Copies an array with one number for each rank to *at, and goes on behind it. */
static const size_t *copy_numbers(size_t **at, const size_t *numbers, int size)
{
    size_t *copy = *at;

    if (!numbers)
        return NULL;
    memcpy(copy, numbers, (size_t)size * sizeof *copy);
    *at += size;
    return copy;
}

/* A copy of the input, and behind it of the counts and displacements of the request, which is made to use
 * them. NULL: no memory. */
static void *copy_of(const handle *handle, mst_request *request)
{
    const mst_shape *shape = &mst_shapes[request->collective];
    int size = handle->base.size, rank = handle->base.rank;
    bool has_in = mst_span_varied(shape->in) && mst_span_has(shape->in, request->root, rank);
    bool has_out = mst_span_varied(shape->out) && mst_span_has(shape->out, request->root, rank);
    mst_blocks in = has_in ? request->in_blocks : (mst_blocks){ 0 },
               out = has_out ? request->out_blocks : (mst_blocks){ 0 };
    size_t bytes = bytes_of(handle, request, shape->in, &in);
    size_t words = bytes / sizeof(size_t) + 1;
    size_t *copy = malloc((words + 4 * (size_t)size) * sizeof *copy), *at = copy;

    if (!copy)
        return NULL;
    if (bytes)
        memcpy(copy, request->in, bytes);
    at += words;
    request->in_blocks.counts = copy_numbers(&at, in.counts, size);
    request->in_blocks.displacements = copy_numbers(&at, in.displacements, size);
    request->out_blocks.counts = copy_numbers(&at, out.counts, size);
    request->out_blocks.displacements = copy_numbers(&at, out.displacements, size);
    request->gives.counts = request->in_blocks.counts;
    request->takes.counts = request->out_blocks.counts;
    return copy;
}

/* Puts a request with a copy of its input into the next rendezvous. */
muster_status collective_come(handle *handle, const mst_request *asked, rendezvous **to)
{
    mst_request copied = *asked, *request = &copied;
    shared_group *shared = handle->shared;
    void *copy = copy_of(handle, request);

    lock(handle);
    muster_status status = explain(shared);
    rendezvous *rendezvous = status == MUSTER_OK && copy
                                 ? shared_rendezvous(shared, COLLECTIVES, handle->met[COLLECTIVES] + 1)
                                 : NULL;
    if (rendezvous) {
        handle->met[COLLECTIVES]++;
        posting *posting = &rendezvous->postings[handle->base.rank];
        *posting = (struct posting){
            .here = true, .request = copied, .in = copy, .limit_ns = handle->base.timeout_ns
        };
        if (request->made) {
            posting->made = *request->made;
            posting->request.made = &posting->made;
        }
        if (++rendezvous->come == shared->size)
            tell_all(shared);
    } else if (status == MUSTER_OK) {
        status = mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a copy of %zu elements", request->elements);
    }
    unlock(handle);
    if (!rendezvous)
        free(copy);
    *to = rendezvous;
    return status;
}

/* An op counts in what reduces, a root in what has one. */
static bool is_same(const mst_request *a, const mst_request *b)
{
    const mst_shape *shape = &mst_shapes[a->collective];

    return a->collective == b->collective && (shape->varied || a->count == b->count) &&
           a->dtype == b->dtype &&
           (!shape->reduces || (a->op == b->op && (!a->made || strcmp(a->made->name, b->made->name) == 0))) &&
           (!shape->rooted || a->root == b->root);
}

/* Everybody compares all with rank 0's, so that all find the same two sides. */
static muster_status compare(handle *handle, const rendezvous *rendezvous)
{
    const posting *postings = rendezvous->postings;
    char first[100], other[100];

    for (int rank = 1; rank < handle->shared->size; rank++) {
        if (is_same(&postings[0].request, &postings[rank].request))
            continue;
        describe(&postings[0].request, first, sizeof first);
        describe(&postings[rank].request, other, sizeof other);
        return break_group(handle->shared, rank, MUSTER_ERR_MISMATCH,
                           "rank 0 called %s and rank %d called %s, as operation %" PRIu64 " of the group",
                           first, rank, other, rendezvous->number);
    }
    return MUSTER_OK;
}

/* The same of what each rank gives each, and that one takes. */
static muster_status compare_counts(handle *handle, const rendezvous *rendezvous)
{
    const posting *postings = rendezvous->postings;
    int size = handle->shared->size;
    char name[MUSTER_CALL_NAME_BYTES];

    for (int taker = 0; taker < size && mst_shapes[postings[0].request.collective].varied; taker++)
        for (int giver = 0; giver < size; giver++) {
            size_t given = mst_counts_of(&postings[giver].request.gives, taker);
            size_t taken = mst_counts_of(&postings[taker].request.takes, giver);

            if (given == taken)
                continue;
            mst_collective_name(postings[0].request.collective, postings[0].request.op,
                                postings[0].request.made ? postings[0].made.name : NULL, name, sizeof name);
            return break_group(handle->shared, giver, MUSTER_ERR_MISMATCH,
                               "in %s, operation %" PRIu64
                               " of the group, rank %d gives %zu elements to rank "
                               "%d, and rank %d takes %zu from rank %d: their counts must agree",
                               name, rendezvous->number, giver, given, taker, taker, taken, giver);
        }
    return MUSTER_OK;
}

/* Where block `block` of a buffer begins, in bytes. */
static size_t place_of(const mst_request *request, mst_span span, const mst_blocks *blocks, int block)
{
    size_t packed = 0;

    if (!mst_span_varied(span))
        return span == SPAN_ALL || span == SPAN_ROOT_ALL
                   ? (size_t)block * request->count * request->element_bytes
                   : 0;
    if (blocks->displacements)
        return blocks->displacements[block] * request->element_bytes;
    for (int rank = 0; rank < block; rank++)
        packed += blocks->counts[rank];
    return packed * request->element_bytes;
}

/* What that rank has put in for `block`. */
static const void *block_of(const rendezvous *rendezvous, int rank, int block)
{
    const mst_request *request = &rendezvous->postings[rank].request;

    return (const char *)rendezvous->postings[rank].in +
           place_of(request, mst_shapes[request->collective].in, &request->in_blocks, block);
}

/* Takes what each rank gives to this one. */
static void take(const handle *handle, const rendezvous *rendezvous)
{
    const mst_request *request = &rendezvous->postings[handle->base.rank].request;

    for (int rank = 0; rank < handle->base.size; rank++) {
        size_t bytes = mst_counts_of(&request->takes, rank) * request->element_bytes;

        if (bytes)
            memcpy((char *)request->out +
                       place_of(request, mst_shapes[request->collective].out, &request->out_blocks, rank),
                   block_of(rendezvous, rank, handle->base.rank), bytes);
    }
}

/* Of the inputs of the first `ranks` ranks. */
static void combine(const handle *handle, const rendezvous *rendezvous, const mst_request *request,
                    const void *const *sources, int ranks)
{
    const mst_made_op *made = request->made;

    if (!made) {
        handle->kernels->reduce[request->dtype][request->op](request->out, sources, ranks, request->count);
    } else if (!made->fn) {
        handle->kernels->reduce_scaled[request->dtype](request->out, sources,
                                                       rendezvous->postings[0].made.factor, sizeof(posting),
                                                       ranks, request->count);
    } else {
        memcpy(request->out, sources[0], request->count * request->element_bytes);
        for (int rank = 1; rank < ranks; rank++)
            made->fn(request->out, sources[rank], request->count, request->dtype, made->arg);
    }
}

static void reduce(const handle *handle, const rendezvous *rendezvous, const mst_request *request, int block,
                   int ranks)
{
    const void *sources[RANKS_MAX];

    for (int rank = 0; rank < ranks; rank++)
        sources[rank] = block_of(rendezvous, rank, block);
    if (ranks && request->count)
        combine(handle, rendezvous, request, sources, ranks);
}

/* This rank's output. Nobody writes to the copies any more. */
static void compute(const handle *handle, const rendezvous *rendezvous)
{
    const mst_request *request = &rendezvous->postings[handle->base.rank].request;
    size_t bytes = request->count * request->element_bytes;
    int size = handle->base.size, own = handle->base.rank;

    if (bytes_of(handle, request, mst_shapes[request->collective].out, &request->out_blocks) == 0)
        return;
    switch (request->collective) {
    case MST_ALL_REDUCE:
    case MST_REDUCE:
        reduce(handle, rendezvous, request, 0, size);
        break;
    case MST_REDUCE_SCATTER:
    case MST_REDUCE_SCATTERV:
        reduce(handle, rendezvous, request, own, size);
        break;
    case MST_SCAN:
    case MST_EXSCAN:
        reduce(handle, rendezvous, request, 0, request->collective == MST_SCAN ? own + 1 : own);
        break;
    case MST_ALL_GATHERV:
    case MST_GATHERV:
    case MST_SCATTERV:
    case MST_ALL_TO_ALLV:
        take(handle, rendezvous);
        break;
    case MST_BROADCAST:
        memcpy(request->out, block_of(rendezvous, request->root, 0), bytes);
        break;
    case MST_SCATTER:
        memcpy(request->out, block_of(rendezvous, request->root, own), bytes);
        break;
    case MST_ALL_GATHER:
    case MST_GATHER:
    case MST_ALL_TO_ALL:
        for (int rank = 0; rank < size; rank++)
            memcpy((char *)request->out + (size_t)rank * bytes,
                   block_of(rendezvous, rank, request->collective == MST_ALL_TO_ALL ? own : 0), bytes);
        break;
    case MST_BARRIER:
    case MST_COLLECTIVE_COUNT:
        break;
    }
}

void collective_describe(const rendezvous *rendezvous, int rank, char *text, size_t bytes)
{
    char request[100];

    describe(&rendezvous->postings[rank].request, request, sizeof request);
    snprintf(text, bytes, "%s, operation %" PRIu64, request, rendezvous->number);
}

muster_status collective_complete(handle *handle, rendezvous *rendezvous)
{
    lock(handle);
    muster_status status = compare(handle, rendezvous);
    if (status == MUSTER_OK)
        status = compare_counts(handle, rendezvous);
    unlock(handle);
    if (status != MUSTER_OK)
        return status;
    compute(handle, rendezvous);
    lock(handle);
    shared_part(handle->shared, COLLECTIVES, rendezvous);
    unlock(handle);
    return MUSTER_OK;
}

static muster_status run(muster_group *group, const mst_request *request)
{
    handle *handle = handle_of(group);
    rendezvous *rendezvous;
    char doing[140];

    muster_status status = collective_come(handle, request, &rendezvous);
    if (status != MUSTER_OK)
        return status;
    collective_describe(rendezvous, group->rank, doing, sizeof doing);
    lock(handle);
    status = wait_for(
        handle, &(wait){ .doing = doing, .rendezvous = rendezvous, .limit_ns = handle->base.timeout_ns });
    unlock(handle);
    return status == MUSTER_OK ? collective_complete(handle, rendezvous) : status;
}

muster_status thread_collective(muster_group *group, const mst_request *request)
{
    char name[MUSTER_CALL_NAME_BYTES];

    muster_status status = in_group(group, run(group, request));
    if (status == MUSTER_OK)
        return status;
    mst_collective_name(request->collective, request->op, request->made ? request->made->name : NULL, name,
                        sizeof name);
    mst_error_operation(name);
    return status;
}
