/* Shares of the backend of threads: memory of malloc, and counts of signals, in the group of the share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/backend/handle.h"

/* One rank's share; those of a rank are on a list, for addresses of peers. */
typedef struct share {
    muster_share base;
    handle *handle;
    uint64_t (*waited)[MUSTER_SIGNALS]; /* by raiser */
    struct share *next;
} share;

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static share *all_shares;

static share *share_of(muster_share *base)
{
    return (share *)base;
}

static muster_status share_create(muster_group *group, size_t bytes, muster_share **created)
{
    const posting mine = { .here = true, .key = group->rank, .makes = MAKES_SHARE, .bytes = bytes };
    share *made = calloc(1, sizeof *made);
    handle *own = NULL;

    if (made)
        made->waited = calloc((size_t)group->size, sizeof *made->waited);
    if (!made || !made->waited) {
        free(made);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a share");
    }
    muster_status status = meet_to_make(handle_of(group), &mine, &own);
    if (status != MUSTER_OK) {
        free(made->waited);
        free(made);
        return status;
    }
    made->handle = own;
    made->base.group = &own->base;
    pthread_mutex_lock(&registry);
    made->next = all_shares;
    all_shares = made;
    pthread_mutex_unlock(&registry);
    *created = &made->base;
    return MUSTER_OK;
}

static void share_at(const muster_share *base, int rank, void **address, size_t *bytes)
{
    const block *block = &((const share *)base)->handle->shared->blocks[rank];

    *bytes = block->bytes;
    *address = block->bytes ? block->memory : NULL;
}

static void share_sync(muster_share *base)
{
    mst_add64_sc(&share_of(base)->handle->shared->syncs, 1);
}

/* Threads write to one mapping: there is nothing to protect them from. */
static muster_status share_seal(muster_share *base)
{
    const posting mine = { .here = true, .color = MUSTER_COLOR_NONE, .makes = MAKES_SEAL };
    handle *none;

    return meet_to_make(share_of(base)->handle, &mine, &none);
}

static void share_close(muster_share *base)
{
    share *closed = share_of(base), **at = &all_shares;

    pthread_mutex_lock(&registry);
    while (*at != closed)
        at = &(*at)->next;
    *at = closed->next;
    pthread_mutex_unlock(&registry);
    base->group->backend->close(base->group);
    free(closed->waited);
    free(closed);
}

static muster_status share_peer(muster_group *group, int rank, const void *mine, void **theirs)
{
    const handle *own = handle_of(group);
    void *found = NULL;
    size_t room = 0;

    pthread_mutex_lock(&registry);
    for (const share *at = all_shares; at; at = at->next) {
        const block *block = &at->handle->shared->blocks[at->base.group->rank];
        size_t offset = (size_t)((uintptr_t)mine - (uintptr_t)block->memory);
        int there = group->backend->translate(group, rank, at->base.group);

        if (at->handle->shared->seats[at->base.group->rank] != own->shared->seats[group->rank] ||
            offset >= block->bytes || there < 0)
            continue;
        room = at->handle->shared->blocks[there].bytes > offset;
        found = (unsigned char *)at->handle->shared->blocks[there].memory + offset;
    }
    pthread_mutex_unlock(&registry);
    if (!found)
        return mst_fail(MUSTER_ERR_INVALID,
                        "peer_buffer: %p is not in this rank's block of a share that rank %d of the group is "
                        "in; of memory that "
                        "peers use, allocate a share (muster_share_create)",
                        mine, rank);
    if (!room)
        return mst_fail(MUSTER_ERR_INVALID,
                        "peer_buffer: rank %d has nothing there: its block of that share is smaller", rank);
    *theirs = found;
    return MUSTER_OK;
}

/* ---- signals ---- */

static muster_status put_signal(muster_share *base, const mst_put *put)
{
    handle *own = share_of(base)->handle;
    block *block = &own->shared->blocks[put->rank];
    muster_status status = MUSTER_OK;

    lock(own);
    if (has_gone(own->shared, put->rank)) {
        status = refuse_gone(own, put->rank, "put_signal");
    } else {
        if (put->bytes)
            memcpy((unsigned char *)block->memory + put->offset, put->from, put->bytes);
        block->raised[own->base.rank][put->signal]++;
        tell_all(own->shared);
    }
    unlock(own);
    return status;
}

typedef struct awaited {
    const uint64_t *raised;
    uint64_t count;
    int source;
} awaited;

static bool is_raised(const void *arg)
{
    const awaited *awaited = arg;

    return *awaited->raised >= awaited->count;
}

static int source_of(const void *arg)
{
    return ((const awaited *)arg)->source;
}

static muster_status wait_signal(muster_share *base, const mst_signal_wait *wait)
{
    handle *own = share_of(base)->handle;
    uint64_t *waited = &share_of(base)->waited[wait->source][wait->signal];
    const uint64_t *raised = &own->shared->blocks[own->base.rank].raised[wait->source][wait->signal];
    awaited awaited = { raised, *waited + wait->count, wait->source };
    const lone_wait lone = { "wait_signal", is_raised, source_of, &awaited, wait->timeout_ns };

    lock(own);
    muster_status status = wait_alone(own, &lone);
    if (status == MUSTER_OK)
        *waited += wait->count;
    if (status == MUSTER_ERR_TIMED_OUT) {
        mst_fail(status, "rank %d waited in wait_signal for signal %d of rank %d: %llu of %llu came",
                 own->base.rank, wait->signal, wait->source, (unsigned long long)(*raised - *waited),
                 (unsigned long long)wait->count);
        be_late_alone(own, &lone);
    }
    unlock(own);
    return status;
}

const mst_share_methods shares_of_threads = {
    .create = share_create,
    .at = share_at,
    .sync = share_sync,
    .seal = share_seal,
    .put_signal = put_signal,
    .wait_signal = wait_signal,
    .peer = share_peer,
    .close = share_close,
};
