/*
 * Collectives of the backend of threads. Each is a rendezvous: a rank posts what it was asked to do, with a
 * copy of its input, waits until all have come, compares, and computes its own output from the copies. A
 * started one is the same in two halves (started.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/backend/handle.h"

static void describe(const mst_request *request, char *text, size_t bytes)
{
    const mst_shape *shape = &mst_shapes[request->collective];

    mst_collective_describe(request->collective, request->dtype, request->op,
                            shape->rooted ? request->root : -1, request->count, text, bytes);
}

static size_t bytes_of(const handle *handle, const mst_request *request, mst_span span)
{
    return mst_span_blocks(span, request->root, handle->base.rank, handle->base.size) * request->count *
           request->element_bytes;
}

/* Puts a request with a copy of its input into the next rendezvous. */
muster_status collective_come(handle *handle, const mst_request *request, rendezvous **to)
{
    size_t bytes = bytes_of(handle, request, mst_shapes[request->collective].in);
    shared_group *shared = handle->shared;
    void *copy = malloc(bytes + 1);

    if (copy && bytes)
        memcpy(copy, request->in, bytes);
    lock(handle);
    muster_status status = explain(shared);
    rendezvous *rendezvous = status == MUSTER_OK && copy
                                 ? shared_rendezvous(shared, COLLECTIVES, handle->met[COLLECTIVES] + 1)
                                 : NULL;
    if (rendezvous) {
        handle->met[COLLECTIVES]++;
        rendezvous->postings[handle->base.rank] =
            (posting){ .here = true, .request = *request, .in = copy, .limit_ns = handle->base.timeout_ns };
        if (++rendezvous->come == shared->size)
            tell_all(shared);
    } else if (status == MUSTER_OK) {
        status = mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a copy of %zu bytes", bytes);
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

    return a->collective == b->collective && a->count == b->count && a->dtype == b->dtype &&
           (!shape->reduces || a->op == b->op) && (!shape->rooted || a->root == b->root);
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
        return break_group(handle->shared, MUSTER_ERR_MISMATCH,
                           "rank 0 called %s and rank %d called %s, as operation %" PRIu64 " of the group",
                           first, rank, other, rendezvous->number);
    }
    return MUSTER_OK;
}

/* Block `block` of what that rank has put in. */
static const void *block_of(const rendezvous *rendezvous, int rank, int block)
{
    const mst_request *request = &rendezvous->postings[rank].request;

    return (const char *)rendezvous->postings[rank].in +
           (size_t)block * request->count * request->element_bytes;
}

static void reduce(const handle *handle, const rendezvous *rendezvous, const mst_request *request, int block)
{
    const void *sources[RANKS_MAX];

    for (int rank = 0; rank < handle->shared->size; rank++)
        sources[rank] = block_of(rendezvous, rank, block);
    handle->kernels->reduce[request->dtype][request->op](request->out, sources, handle->shared->size,
                                                         request->count);
}

/* This rank's output. Nobody writes to the copies any more. */
static void compute(const handle *handle, const rendezvous *rendezvous)
{
    const mst_request *request = &rendezvous->postings[handle->base.rank].request;
    size_t bytes = request->count * request->element_bytes;
    int size = handle->base.size, own = handle->base.rank;

    if (bytes_of(handle, request, mst_shapes[request->collective].out) == 0)
        return;
    switch (request->collective) {
    case MST_ALL_REDUCE:
    case MST_REDUCE:
        reduce(handle, rendezvous, request, 0);
        break;
    case MST_REDUCE_SCATTER:
        reduce(handle, rendezvous, request, own);
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
    unlock(handle);
    if (status != MUSTER_OK)
        return status;
    compute(handle, rendezvous);
    lock(handle);
    shared_part(handle->shared, COLLECTIVES, rendezvous);
    unlock(handle);
    return MUSTER_OK;
}

muster_status thread_collective(muster_group *group, const mst_request *request)
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
