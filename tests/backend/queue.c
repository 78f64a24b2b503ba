/* Queues of the backend of threads: places of malloc, and how far each reader has come. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/backend/handle.h"

typedef struct queue {
    muster_queue base;
    handle *handle;
    bool *dropped; /* by rank */
} queue;

static queue *queue_of(muster_queue *base)
{
    return (queue *)base;
}

static muster_status queue_create(muster_group *group, int writer, size_t entries, size_t entry_bytes,
                                  muster_queue **created)
{
    const posting mine = { .here = true,
                           .key = group->rank,
                           .makes = MAKES_QUEUE,
                           .bytes = entry_bytes,
                           .entries = entries,
                           .writer = writer };
    queue *made = calloc(1, sizeof *made);
    handle *own = NULL;

    if (made)
        made->dropped = calloc((size_t)group->size, sizeof *made->dropped);
    if (!made || !made->dropped) {
        free(made);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a queue");
    }
    muster_status status = meet_to_make(handle_of(group), &mine, &own);
    if (status != MUSTER_OK) {
        free(made->dropped);
        free(made);
        return status;
    }
    made->handle = own;
    made->base = (muster_queue){ &own->base, writer, entries, entry_bytes, false };
    *created = &made->base;
    return MUSTER_OK;
}

static void queue_close(muster_queue *base)
{
    queue *closed = queue_of(base);

    base->group->backend->close(base->group);
    free(closed->dropped);
    free(closed);
}

/* ---- the writer ---- */

static int slowest(const void *arg)
{
    const queue *queue = arg;
    const entries *entries = queue->handle->shared->entries;
    int found = -1;

    for (int rank = 0; rank < queue->base.group->size; rank++)
        if (rank != queue->base.writer && !queue->dropped[rank] &&
            (found < 0 || entries->released[rank] < entries->released[found]))
            found = rank;
    return found;
}

static bool has_room(const void *arg)
{
    const queue *queue = arg;
    const entries *entries = queue->handle->shared->entries;
    int rank = slowest(arg);

    return rank < 0 || entries->pushed - entries->released[rank] < entries->size;
}

static muster_status queue_push(muster_queue *base, const void *entry, size_t bytes, int64_t timeout_ns)
{
    queue *queue = queue_of(base);
    entries *entries = queue->handle->shared->entries;

    lock(queue->handle);
    const lone_wait wait = { "push", has_room, slowest, queue, timeout_ns };
    muster_status status = wait_alone(queue->handle, &wait);
    if (status == MUSTER_OK) {
        uint64_t at = entries->pushed++ % entries->size;

        entries->places[at].bytes = bytes;
        if (bytes)
            memcpy(entries->places[at].data, entry, bytes);
        tell_all(queue->handle->shared);
    } else if (status == MUSTER_ERR_TIMED_OUT) {
        status = mst_fail(
            status, "rank %d waited in push: rank %d lags %llu entries behind, which is the whole queue",
            base->group->rank, slowest(queue),
            (unsigned long long)(entries->pushed - entries->released[slowest(queue)]));
        be_late_alone(queue->handle, &wait);
    }
    unlock(queue->handle);
    return status;
}

static int queue_drop(muster_queue *base)
{
    queue *queue = queue_of(base);
    int left = 0;

    lock(queue->handle);
    for (int rank = 0; rank < base->group->size; rank++) {
        queue->dropped[rank] |= has_gone(queue->handle->shared, rank);
        left += rank != base->writer && !queue->dropped[rank];
    }
    unlock(queue->handle);
    return left;
}

static void queue_lag(const muster_queue *base, int *rank, uint64_t *behind)
{
    const queue *queue = (const struct queue *)base;

    lock(queue->handle);
    *rank = slowest(queue);
    *behind = *rank < 0
                  ? 0
                  : queue->handle->shared->entries->pushed - queue->handle->shared->entries->released[*rank];
    unlock(queue->handle);
}

/* ---- readers ---- */

static bool has_entry(const void *arg)
{
    const queue *queue = arg;
    const entries *entries = queue->handle->shared->entries;

    return entries->pushed > entries->released[queue->base.group->rank];
}

static int writer_of(const void *arg)
{
    return ((const queue *)arg)->base.writer;
}

static muster_status queue_peek(muster_queue *base, int64_t timeout_ns, const void **entry, size_t *bytes)
{
    queue *queue = queue_of(base);
    const entries *entries = queue->handle->shared->entries;

    lock(queue->handle);
    uint64_t next = entries->released[base->group->rank];
    const lone_wait wait = { "pop", has_entry, writer_of, queue, timeout_ns };
    muster_status status = wait_alone(queue->handle, &wait);
    if (status == MUSTER_OK) {
        *entry = entries->places[next % entries->size].data;
        *bytes = entries->places[next % entries->size].bytes;
    } else if (status == MUSTER_ERR_TIMED_OUT) {
        status = mst_fail(status, "rank %d waited in pop for rank %d to push entry %llu", base->group->rank,
                          base->writer, (unsigned long long)next + 1);
        be_late_alone(queue->handle, &wait);
    }
    unlock(queue->handle);
    return status;
}

static void queue_release(muster_queue *base)
{
    queue *queue = queue_of(base);

    lock(queue->handle);
    queue->handle->shared->entries->released[base->group->rank]++;
    tell_all(queue->handle->shared);
    unlock(queue->handle);
}

const mst_queue_methods queues_of_threads = {
    .create = queue_create,
    .push = queue_push,
    .peek = queue_peek,
    .release = queue_release,
    .drop = queue_drop,
    .lag = queue_lag,
    .close = queue_close,
};
