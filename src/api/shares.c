/* Memory that all members of a group map: checks, and call classes of the share's own group. */
#include "src/api/enter.h"

muster_status muster_share_create(muster_group *group, size_t bytes, muster_share **share)
{
    muster_status status = mst_check_place(share, "share");

    if (status == MUSTER_OK)
        status = mst_enter(group, MUSTER_CALL_SPLIT);
    if (status != MUSTER_OK)
        return mst_named("share_create", status);
    if (group->backend->shares)
        status = group->backend->shares->create(group, bytes, share);
    else
        status = mst_fail(MUSTER_ERR_UNSUPPORTED, "ranks on several hosts share no memory");
    return mst_end(group, MUSTER_CALL_SPLIT, "share_create", status);
}

static muster_status check(const muster_share *share)
{
    if (!share)
        return mst_fail(MUSTER_ERR_INVALID, "the share is NULL; expected one from muster_share_create");
    return mst_check_group(share->group);
}

static muster_status check_rank(const muster_share *share, int rank, const char *name)
{
    if (rank >= 0 && rank < share->group->size)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID, "%s: %d is not a rank of a share of %d", name, rank,
                    share->group->size);
}

static const mst_share_methods *methods_of(const muster_share *share)
{
    return share->group->backend->shares;
}

muster_status muster_share_at(const muster_share *share, int rank, void **address, size_t *bytes)
{
    muster_status status = check(share);
    void *found;
    size_t found_bytes;

    if (status == MUSTER_OK)
        status = check_rank(share, rank, "share_at");
    if (status != MUSTER_OK)
        return status;
    if (!address)
        return mst_fail(MUSTER_ERR_INVALID,
                        "share_at: the argument in which the block's address is returned is NULL");
    methods_of(share)->at(share, rank, &found, &found_bytes);
    *address = found;
    if (bytes)
        *bytes = found_bytes;
    return MUSTER_OK;
}

muster_status muster_share_sync(muster_share *share)
{
    muster_status status = check(share);

    if (status == MUSTER_OK)
        methods_of(share)->sync(share);
    return status;
}

muster_status muster_share_seal(muster_share *share)
{
    muster_status status = check(share);

    if (status == MUSTER_OK)
        status = mst_enter(share->group, MUSTER_CALL_SPLIT);
    if (status != MUSTER_OK)
        return mst_named("share_seal", status);
    status = methods_of(share)->seal(share);
    share->sealed = share->sealed || status == MUSTER_OK;
    return mst_end(share->group, MUSTER_CALL_SPLIT, "share_seal", status);
}

muster_status muster_share_free(muster_share *share)
{
    muster_status status = share ? check(share) : MUSTER_OK;

    if (!share || status != MUSTER_OK)
        return status;
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        if (mst_load64_acq(&share->group->occupied[class]))
            return mst_fail(MUSTER_ERR_BUSY,
                            "another thread is in a call of the share; free it after that call");
    methods_of(share)->close(share);
    return MUSTER_OK;
}

muster_status muster_peer_buffer(muster_group *group, int rank, const void *mine, void **theirs)
{
    muster_status status = mst_check_group(group);

    if (status == MUSTER_OK)
        status = mst_check_place(theirs, "address");
    if (status != MUSTER_OK)
        return status;
    if (rank < 0 || rank >= group->size)
        return mst_fail(MUSTER_ERR_INVALID, "peer_buffer: %d is not a rank of a group of %d", rank,
                        group->size);
    if (!group->backend->shares)
        return mst_fail(MUSTER_ERR_UNSUPPORTED, "ranks on several hosts share no memory");
    return group->backend->shares->peer(group, rank, mine, theirs);
}

/* ---- signals ---- */

static muster_status check_signal(const muster_share *share, int rank, int signal, const char *name)
{
    muster_status status = check_rank(share, rank, name);

    if (status != MUSTER_OK || (signal >= 0 && signal < MUSTER_SIGNALS))
        return status;
    return mst_fail(MUSTER_ERR_INVALID, "%s: %d is not a signal; expected 0 to %d", name, signal,
                    MUSTER_SIGNALS - 1);
}

static muster_status check_put(const muster_share *share, const mst_put *put)
{
    void *block;
    size_t room;

    muster_status status = check_signal(share, put->rank, put->signal, "put_signal");
    if (status != MUSTER_OK || put->bytes == 0)
        return status;
    methods_of(share)->at(share, put->rank, &block, &room);
    if (put->offset > room || put->bytes > room - put->offset)
        return mst_fail(MUSTER_ERR_INVALID,
                        "put_signal: %zu bytes at %zu are not in the %zu bytes of rank %d's block",
                        put->bytes, put->offset, room, put->rank);
    if (!put->from)
        return mst_fail(MUSTER_ERR_INVALID, "put_signal: the buffer is NULL and should hold %zu bytes",
                        put->bytes);
    if (share->sealed)
        return mst_fail(MUSTER_ERR_INVALID,
                        "put_signal: the share is sealed; only signals without bytes can be put");
    return MUSTER_OK;
}

muster_status muster_put_signal(muster_share *share, int rank, size_t offset, const void *from, size_t bytes,
                                int signal)
{
    const mst_put put = { rank, offset, from, bytes, signal };

    muster_status status = check(share);
    if (status == MUSTER_OK)
        status = mst_enter(share->group, MUSTER_CALL_SEND);
    if (status != MUSTER_OK)
        return mst_named("put_signal", status);
    status = check_put(share, &put);
    if (status == MUSTER_OK)
        status = methods_of(share)->put_signal(share, &put);
    return mst_end(share->group, MUSTER_CALL_SEND, "put_signal", status);
}

muster_status muster_wait_signal(muster_share *share, int source, int signal, uint64_t count,
                                 int64_t timeout_ns)
{
    const mst_signal_wait wait = { source, signal, count, timeout_ns };

    muster_status status = check(share);
    if (status == MUSTER_OK)
        status = mst_enter(share->group, MUSTER_CALL_RECEIVE);
    if (status != MUSTER_OK)
        return mst_named("wait_signal", status);
    status = check_signal(share, source, signal, "wait_signal");
    if (status == MUSTER_OK && count > INT64_MAX)
        status = mst_fail(MUSTER_ERR_INVALID, "wait_signal: a count of %llu; expected up to 2^63 - 1",
                          (unsigned long long)count);
    if (status == MUSTER_OK)
        status = methods_of(share)->wait_signal(share, &wait);
    return mst_end(share->group, MUSTER_CALL_RECEIVE, "wait_signal", status);
}
