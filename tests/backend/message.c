/* Messages of the backend of threads: a queue of envelopes for each pair. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/backend/handle.h"

static channel *channel_between(const shared_group *shared, int from, int to)
{
    return &shared->channels[from * shared->size + to];
}

static void doing_of(const mst_message *message, size_t count, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s (%s x %zu)", message->name, muster_dtype_name(message->dtype), count);
}

/* A copy where there is room; to oneself always, as nobody else would take it meanwhile. NULL: no memory. */
static envelope *post(handle *handle, const mst_message *message, envelope *lent)
{
    channel *to = channel_between(handle->shared, handle->base.rank, message->destination);
    envelope *envelope = lent;

    if (channel_fits(to, message->out_bytes) || message->destination == handle->base.rank) {
        envelope = malloc(sizeof *envelope + message->out_bytes);
        if (!envelope)
            return NULL;
        if (message->out_bytes)
            memcpy(envelope + 1, message->out, message->out_bytes);
    }
    *envelope = (struct envelope){ .dtype = message->dtype,
                                   .count = message->out_count,
                                   .bytes = message->out_bytes,
                                   .data = envelope == lent ? message->out : envelope + 1,
                                   .lent = envelope == lent };
    channel_append(to, envelope);
    tell_all(handle->shared);
    return envelope;
}

static muster_status take(handle *handle, const mst_message *message)
{
    channel *from = channel_between(handle->shared, message->source, handle->base.rank);
    char doing[80];

    doing_of(message, message->in_count, doing, sizeof doing);
    muster_status status = wait_for(handle, &(wait){ .doing = doing,
                                                     .channel = from,
                                                     .peer = message->source,
                                                     .limit_ns = handle->base.timeout_ns });
    if (status != MUSTER_OK)
        return status;
    envelope *envelope = from->first;
    if (envelope->dtype != message->dtype || envelope->count != message->in_count)
        return break_group(handle->shared, MUSTER_ERR_MISMATCH,
                           "rank %d expected a message of %s x %zu from rank %d, which sent %s x %zu",
                           handle->base.rank, muster_dtype_name(message->dtype), message->in_count,
                           message->source, muster_dtype_name(envelope->dtype), envelope->count);
    if (envelope->bytes)
        memcpy(message->in, envelope->data, envelope->bytes);
    channel_remove(from, envelope);
    envelope->taken = true;
    if (!envelope->lent)
        free(envelope);
    tell_all(handle->shared);
    return MUSTER_OK;
}

/* Until what was lent is ours again: taken, or, where the group is broken, never to be. */
static muster_status get_back(handle *handle, const mst_message *message, envelope *lent,
                              muster_status status)
{
    char doing[80];

    doing_of(message, message->out_count, doing, sizeof doing);
    if (status == MUSTER_OK)
        status = wait_for(handle, &(wait){ .doing = doing,
                                           .envelope = lent,
                                           .peer = message->destination,
                                           .limit_ns = handle->base.timeout_ns });
    if (!lent->taken)
        channel_remove(channel_between(handle->shared, handle->base.rank, message->destination), lent);
    return status;
}

static muster_status exchange(handle *handle, const mst_message *message)
{
    const shared_group *shared = handle->shared;
    envelope lent, *sent = NULL;

    muster_status status = explain(shared);
    if (status != MUSTER_OK)
        return status;
    if (message->sends && !message->receives && message->destination == handle->base.rank &&
        !channel_fits(channel_between(shared, handle->base.rank, handle->base.rank), message->out_bytes))
        return mst_fail(MUSTER_ERR_INVALID,
                        "send: %zu bytes to oneself do not fit into what is still buffered; receive first, "
                        "or use sendrecv",
                        message->out_bytes);
    if (message->sends && !(sent = post(handle, message, &lent)))
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a message of %zu bytes", message->out_bytes);
    if (message->receives)
        status = take(handle, message);
    return sent == &lent ? get_back(handle, message, &lent, status) : status;
}

muster_status thread_message(muster_group *group, const mst_message *message)
{
    lock(handle_of(group));
    muster_status status = exchange(handle_of(group), message);
    unlock(handle_of(group));
    return status;
}
