/* The operations of memory.h. Each rank is a process, so what they keep from call to call is static. */
#include "tools/muster/bench/memory.h"

#include <string.h>

#define QUEUE_ENTRIES 64
#define QUEUE_BYTES ((size_t)64 << 20) /* of all entries, as long as two of them fit */

static size_t bytes_of(const bench_call *call)
{
    return call->count * muster_dtype_size(call->dtype);
}

static muster_status share_for(const bench_call *call, muster_share **share, void **mine)
{
    static muster_share *made;
    static size_t made_bytes;
    muster_status status = MUSTER_OK;

    if (!made || made_bytes != bytes_of(call)) {
        muster_share_free(made);
        made = NULL;
        made_bytes = bytes_of(call);
        status = muster_share_create(call->group, made_bytes, &made);
    }
    *share = made;
    return status == MUSTER_OK ? muster_share_at(made, muster_group_rank(call->group), mine, NULL) : status;
}

/* Rank 1 answers when it has been told, so that neither writes what the other still reads. */
muster_status bench_put_signal(const bench_call *call)
{
    int rank = muster_group_rank(call->group);
    muster_share *share;
    void *mine;

    muster_status status = share_for(call, &share, &mine);
    if (status != MUSTER_OK || rank > 1)
        return status;
    if (rank == 0)
        status = muster_put_signal(share, 1, 0, call->in, bytes_of(call), 0);
    if (status == MUSTER_OK)
        status = muster_wait_signal(share, 1 - rank, 0, 1, 0);
    if (status == MUSTER_OK && bytes_of(call))
        memcpy(call->out, mine, bytes_of(call));
    if (rank == 1 && status == MUSTER_OK)
        status = muster_put_signal(share, 0, 0, call->in, bytes_of(call), 0);
    return status;
}

static muster_status queue_for(const bench_call *call, muster_queue **queue)
{
    static muster_queue *made;
    static size_t made_bytes;
    muster_status status = MUSTER_OK;

    if (!made || made_bytes != bytes_of(call)) {
        size_t fitting = QUEUE_BYTES / (bytes_of(call) + 1);

        muster_queue_free(made);
        made = NULL;
        made_bytes = bytes_of(call);
        status = muster_queue_create(call->group, 0,
                                     fitting < 2               ? 2
                                     : fitting > QUEUE_ENTRIES ? QUEUE_ENTRIES
                                                               : fitting,
                                     made_bytes, &made);
    }
    *queue = made;
    return status;
}

muster_status bench_queue(const bench_call *call)
{
    muster_queue *queue;
    size_t bytes;

    muster_status status = queue_for(call, &queue);
    if (status != MUSTER_OK)
        return status;
    if (muster_group_rank(call->group) == 0)
        return muster_queue_push(queue, call->in, bytes_of(call), 0);
    return muster_queue_pop(queue, call->out, bytes_of(call), 0, &bytes);
}
