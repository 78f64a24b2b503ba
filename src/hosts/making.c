/* Tells members of a group that is being made what the others tell, for making.h. */
#include "src/hosts/making.h"

#include <stdlib.h>

#include "src/hosts/broken.h"

/* Waits for transfers with these ranks, in the calls of the parent. */
static muster_status await(const mst_making *making, mst_link *link, muster_request *transfers,
                           const int *peers, size_t count, muster_status status)
{
    mst_hosts_group *parent = making->parent;

    if (status == MUSTER_OK) {
        mst_hosts_watch_begin(parent,
                              &(mst_hosts_watching){ .class = MUSTER_CALL_SPLIT,
                                                     .limit_ns = parent->base.timeout_ns,
                                                     .doing = making->doing,
                                                     .peers = peers },
                              transfers, count);
        status = link->methods->wait(link, transfers, count, true, 0);
        mst_hosts_watch_end(parent, MUSTER_CALL_SPLIT);
    }
    if (status == MUSTER_OK)
        return status;
    status = mst_hosts_failed(parent, status, making->doing);
    mst_error_copy error;
    mst_error_keep(&error);
    if (link != parent->link) /* what broke the parent breaks it, too: its transfers must end */
        link->methods->tell(link, &(mst_link_reason){ .status = status, .about = -1 });
    for (size_t i = 0; i < count; i++)
        while (transfers[i].group && link->methods->wait(link, &transfers[i], 1, true, 0) == MUSTER_ERR_BUSY)
            continue;
    return mst_error_again(&error);
}

/* Rank 0 gets from each, and then gives all to each. */
static muster_status tell_from_root(const mst_making *making, mst_link *link, mst_told *all,
                                    muster_request *transfers, const int *peers)
{
    size_t others = (size_t)link->size - 1;
    muster_status status = MUSTER_OK;

    for (size_t i = 0; i < others && status == MUSTER_OK; i++)
        status = link->methods->receive(link, (int)i + 1, MST_LINK_SPLITS, &all[i + 1], sizeof *all,
                                        &transfers[i]);
    status = await(making, link, transfers, peers, others, status);
    if (status != MUSTER_OK)
        return status;
    for (size_t i = 0; i < others && status == MUSTER_OK; i++)
        status = link->methods->send(link, (int)i + 1, MST_LINK_SPLITS, all, (others + 1) * sizeof *all,
                                     &transfers[i]);
    return await(making, link, transfers, peers, others, status);
}

static muster_status tell_others(const mst_making *making, mst_link *link, mst_told *all,
                                 muster_request *transfers, const int *peers)
{
    size_t size = (size_t)link->size;

    if (link->rank == 0)
        return tell_from_root(making, link, all, transfers, peers);
    mst_told own = all[link->rank];
    muster_status status = link->methods->send(link, 0, MST_LINK_SPLITS, &own, sizeof own, &transfers[0]);
    if (status == MUSTER_OK)
        status = link->methods->receive(link, 0, MST_LINK_SPLITS, all, size * sizeof *all, &transfers[1]);
    int first = link == making->parent->link ? 0 : making->ranks[0];
    const int root[2] = { first, first };
    return await(making, link, transfers, root, 2, status);
}

muster_status mst_tell_all(const mst_making *making, mst_link *link, mst_told *all)
{
    size_t size = (size_t)link->size;
    muster_request *transfers = calloc(size + 1, sizeof *transfers);
    int *peers = calloc(size, sizeof *peers);
    bool room = transfers && peers;

    for (size_t i = 0; i + 1 < size && room; i++)
        peers[i] = link == making->parent->link ? (int)i + 1 : making->ranks[i + 1];
    muster_status status = room ? tell_others(making, link, all, transfers, peers)
                                : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group");
    free(transfers);
    free(peers);
    return status;
}
