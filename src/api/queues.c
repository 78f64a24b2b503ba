/* Queues of one writer and many readers: checks, call classes of the queue's own group, and pop by peek. */
#include <string.h>

#include "src/api/enter.h"

static const mst_queue_methods *methods_of(const muster_queue *queue)
{
    return queue->group->backend->queues;
}

static muster_status check_plan(const muster_group *group, int writer, size_t entries)
{
    if (!group->backend->queues)
        return mst_fail(MUSTER_ERR_UNSUPPORTED, "ranks on several hosts share no queue");
    if (writer < 0 || writer >= group->size)
        return mst_fail(MUSTER_ERR_INVALID, "queue_create: the writer, %d, is not a rank of a group of %d",
                        writer, group->size);
    if (entries == 0)
        return mst_fail(MUSTER_ERR_INVALID, "queue_create: a queue of 0 entries; expected at least 1");
    return MUSTER_OK;
}

muster_status muster_queue_create(muster_group *group, int writer, size_t entries, size_t entry_bytes,
                                  muster_queue **queue)
{
    muster_status status = mst_check_place(queue, "queue");

    if (status == MUSTER_OK)
        status = mst_enter(group, MUSTER_CALL_SPLIT);
    if (status != MUSTER_OK)
        return mst_named("queue_create", status);
    status = check_plan(group, writer, entries);
    if (status == MUSTER_OK)
        status = group->backend->queues->create(group, writer, entries, entry_bytes, queue);
    return mst_end(group, MUSTER_CALL_SPLIT, "queue_create", status);
}

static muster_status check(const muster_queue *queue)
{
    if (!queue)
        return mst_fail(MUSTER_ERR_INVALID, "the queue is NULL; expected one from muster_queue_create");
    return mst_check_group(queue->group);
}

/* Enters a call of the writer, or of a reader. */
static muster_status enter(const muster_queue *queue, bool writes, const char *name)
{
    muster_status status = check(queue);

    if (status == MUSTER_OK && writes != (queue->group->rank == queue->writer))
        status = writes ? mst_fail(MUSTER_ERR_INVALID, "%s: rank %d is a reader; rank %d writes this queue",
                                   name, queue->group->rank, queue->writer)
                        : mst_fail(MUSTER_ERR_INVALID, "%s: rank %d writes this queue and reads none of it",
                                   name, queue->group->rank);
    if (status == MUSTER_OK)
        status = mst_enter(queue->group, writes ? MUSTER_CALL_SEND : MUSTER_CALL_RECEIVE);
    return mst_named(name, status);
}

/* ---- the writer ---- */

static muster_status check_entry(const muster_queue *queue, const void *entry, size_t bytes)
{
    if (bytes > queue->entry_bytes)
        return mst_fail(MUSTER_ERR_INVALID, "queue_push: an entry of %zu bytes; this queue's have up to %zu",
                        bytes, queue->entry_bytes);
    if (bytes && !entry)
        return mst_fail(MUSTER_ERR_INVALID, "queue_push: the entry is NULL and should have %zu bytes", bytes);
    return MUSTER_OK;
}

muster_status muster_queue_push(muster_queue *queue, const void *entry, size_t bytes, int64_t timeout_ns)
{
    muster_status status = enter(queue, true, "queue_push");

    if (status != MUSTER_OK)
        return status;
    status = check_entry(queue, entry, bytes);
    if (status == MUSTER_OK)
        status = methods_of(queue)->push(queue, entry, bytes, timeout_ns);
    return mst_end(queue->group, MUSTER_CALL_SEND, "queue_push", status);
}

muster_status muster_queue_drop(muster_queue *queue, int *readers)
{
    muster_status status = enter(queue, true, "queue_drop");

    if (status != MUSTER_OK)
        return status;
    int left = methods_of(queue)->drop(queue);
    if (readers)
        *readers = left;
    mst_leave(queue->group, MUSTER_CALL_SEND);
    return MUSTER_OK;
}

muster_status muster_queue_lag(muster_queue *queue, int *rank, uint64_t *entries)
{
    muster_status status = enter(queue, true, "queue_lag");
    int found;
    uint64_t behind;

    if (status != MUSTER_OK)
        return status;
    methods_of(queue)->lag(queue, &found, &behind);
    if (rank)
        *rank = found;
    if (entries)
        *entries = behind;
    mst_leave(queue->group, MUSTER_CALL_SEND);
    return MUSTER_OK;
}

/* ---- readers ---- */

muster_status muster_queue_peek(muster_queue *queue, int64_t timeout_ns, const void **entry, size_t *bytes)
{
    const void *found;
    size_t found_bytes;

    if (!entry || !bytes)
        return mst_fail(MUSTER_ERR_INVALID, "queue_peek: where the entry and its bytes are returned is NULL");
    muster_status status = enter(queue, false, "queue_peek");
    if (status != MUSTER_OK)
        return status;
    status = methods_of(queue)->peek(queue, timeout_ns, &found, &found_bytes);
    if (status == MUSTER_OK) {
        queue->peeked = true;
        *entry = found;
        *bytes = found_bytes;
    }
    return mst_end(queue->group, MUSTER_CALL_RECEIVE, "queue_peek", status);
}

muster_status muster_queue_release(muster_queue *queue)
{
    muster_status status = enter(queue, false, "queue_release");

    if (status != MUSTER_OK)
        return status;
    if (queue->peeked)
        methods_of(queue)->release(queue);
    else
        status = mst_fail(MUSTER_ERR_INVALID, "queue_release: no entry has been peeked at");
    queue->peeked = false;
    return mst_end(queue->group, MUSTER_CALL_RECEIVE, "queue_release", status);
}

static muster_status pop(muster_queue *queue, void *buffer, size_t capacity, int64_t timeout_ns,
                         size_t *bytes)
{
    const void *entry;
    size_t found;

    muster_status status = methods_of(queue)->peek(queue, timeout_ns, &entry, &found);
    if (status != MUSTER_OK)
        return status;
    if (found > capacity)
        return mst_fail(
            MUSTER_ERR_INVALID,
            "queue_pop: the next entry has %zu bytes and the buffer %zu; it stays: pop it into a larger "
            "one, or peek",
            found, capacity);
    if (found)
        memcpy(buffer, entry, found);
    queue->peeked = false;
    methods_of(queue)->release(queue);
    *bytes = found;
    return MUSTER_OK;
}

muster_status muster_queue_pop(muster_queue *queue, void *buffer, size_t capacity, int64_t timeout_ns,
                               size_t *bytes)
{
    if (!bytes || (capacity && !buffer))
        return mst_fail(MUSTER_ERR_INVALID, "queue_pop: the argument in which the %s returned is NULL",
                        bytes ? "entry is" : "entry's bytes are");
    muster_status status = enter(queue, false, "queue_pop");
    if (status != MUSTER_OK)
        return status;
    status = pop(queue, buffer, capacity, timeout_ns, bytes);
    return mst_end(queue->group, MUSTER_CALL_RECEIVE, "queue_pop", status);
}

muster_status muster_queue_free(muster_queue *queue)
{
    muster_status status = queue ? check(queue) : MUSTER_OK;

    if (!queue || status != MUSTER_OK)
        return status;
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        if (mst_load64_acq(&queue->group->occupied[class]))
            return mst_fail(MUSTER_ERR_BUSY,
                            "another thread is in a call of the queue; free it after that call");
    methods_of(queue)->close(queue);
    return MUSTER_OK;
}
