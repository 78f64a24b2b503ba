/* Makes the calls of random_calls.h, or starts them. */
#include "tests/harness/random_calls.h"

static muster_status perform_varied(const call *c, const size_t *numbers, const void *in, void *out,
                                    muster_group *group)
{
    const size_t *ins = numbers + GIVES, *outs = numbers + TAKES;
    const size_t *in_at = c->has_gaps ? numbers + IN_AT : NULL,
                 *out_at = c->has_gaps ? numbers + OUT_AT : NULL;

    switch (c->kind) {
    case ALL_GATHERV:
        return muster_all_gatherv(in, ins[0], out, outs, out_at, c->dtype, group);
    case GATHERV:
        return muster_gatherv(in, ins[0], out, outs, out_at, c->dtype, c->root, group);
    case SCATTERV:
        return muster_scatterv(in, ins, in_at, out, outs[0], c->dtype, c->root, group);
    case REDUCE_SCATTERV:
        return muster_reduce_scatterv(in, ins, out, c->dtype, c->op, group);
    default:
        return muster_all_to_allv(in, ins, in_at, out, outs, out_at, c->dtype, group);
    }
}

static muster_status start_varied(const call *c, const size_t *numbers, const void *in, void *out,
                                  muster_group *group, muster_request *request)
{
    const size_t *ins = numbers + GIVES, *outs = numbers + TAKES;
    const size_t *in_at = c->has_gaps ? numbers + IN_AT : NULL,
                 *out_at = c->has_gaps ? numbers + OUT_AT : NULL;

    switch (c->kind) {
    case ALL_GATHERV:
        return muster_all_gatherv_start(in, ins[0], out, outs, out_at, c->dtype, group, request);
    case GATHERV:
        return muster_gatherv_start(in, ins[0], out, outs, out_at, c->dtype, c->root, group, request);
    case SCATTERV:
        return muster_scatterv_start(in, ins, in_at, out, outs[0], c->dtype, c->root, group, request);
    case REDUCE_SCATTERV:
        return muster_reduce_scatterv_start(in, ins, out, c->dtype, c->op, group, request);
    default:
        return muster_all_to_allv_start(in, ins, in_at, out, outs, out_at, c->dtype, group, request);
    }
}

/* Around the ring. */
static muster_status exchange(const call *c, const void *in, void *out, muster_group *group)
{
    int rank = muster_group_rank(group), size = muster_group_size(group), left = (rank + size - 1) % size;
    muster_message came = MUSTER_MESSAGE_INIT;
    muster_status status = muster_sendrecv(in, c->count, (rank + 1) % size, c->tag, out, c->count,
                                           c->by_wildcards ? MUSTER_ANY_SOURCE : left,
                                           c->by_wildcards ? MUSTER_ANY_TAG : c->tag, c->dtype, group, &came);

    if (status == MUSTER_OK && (came.source != left || came.tag != c->tag || came.count != c->count))
        return MUSTER_ERR_MISMATCH;
    return status;
}

muster_status perform(const call *c, const size_t *numbers, const void *in, void *out, muster_group *group)
{
    switch (c->kind) {
    case ALL_REDUCE:
        return muster_all_reduce(in, out, c->count, c->dtype, c->op, group);
    case ALL_GATHER:
        return muster_all_gather(in, out, c->count, c->dtype, group);
    case REDUCE_SCATTER:
        return muster_reduce_scatter(in, out, c->count, c->dtype, c->op, group);
    case BROADCAST:
        return muster_broadcast(in, out, c->count, c->dtype, c->root, group);
    case REDUCE:
        return muster_reduce(in, out, c->count, c->dtype, c->op, c->root, group);
    case GATHER:
        return muster_gather(in, out, c->count, c->dtype, c->root, group);
    case SCATTER:
        return muster_scatter(in, out, c->count, c->dtype, c->root, group);
    case ALL_TO_ALL:
        return muster_all_to_all(in, out, c->count, c->dtype, group);
    case SCAN:
        return muster_scan(in, out, c->count, c->dtype, c->op, group);
    case EXSCAN:
        return muster_exscan(in, out, c->count, c->dtype, c->op, group);
    case SENDRECV:
        return exchange(c, in, out, group);
    default:
        return perform_varied(c, numbers, in, out, group);
    }
}

bool can_start(const call *c)
{
    return c->kind != SENDRECV;
}

muster_status start(const call *c, const size_t *numbers, const void *in, void *out, muster_group *group,
                    muster_request *request)
{
    switch (c->kind) {
    case ALL_REDUCE:
        return muster_all_reduce_start(in, out, c->count, c->dtype, c->op, group, request);
    case ALL_GATHER:
        return muster_all_gather_start(in, out, c->count, c->dtype, group, request);
    case REDUCE_SCATTER:
        return muster_reduce_scatter_start(in, out, c->count, c->dtype, c->op, group, request);
    case REDUCE:
        return muster_reduce_start(in, out, c->count, c->dtype, c->op, c->root, group, request);
    case GATHER:
        return muster_gather_start(in, out, c->count, c->dtype, c->root, group, request);
    case SCATTER:
        return muster_scatter_start(in, out, c->count, c->dtype, c->root, group, request);
    case ALL_TO_ALL:
        return muster_all_to_all_start(in, out, c->count, c->dtype, group, request);
    case SCAN:
        return muster_scan_start(in, out, c->count, c->dtype, c->op, group, request);
    case EXSCAN:
        return muster_exscan_start(in, out, c->count, c->dtype, c->op, group, request);
    case BROADCAST:
        return muster_broadcast_start(in, out, c->count, c->dtype, c->root, group, request);
    default:
        return start_varied(c, numbers, in, out, group, request);
    }
}
