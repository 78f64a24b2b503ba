/* Tells members of a group that is being made what the others tell, for making.h. */
#include "src/hosts/making.h"

#include <stdio.h>
#include <string.h>

#include "src/hosts/broken.h"

muster_status mst_refuse_part(int rank, muster_status status)
{
    return mst_fail_about(rank, status, "rank %d could not make its part of a group; the parent is as before",
                          rank);
}

/* A member that has given up its part of a new group, for want of memory, has left the link that the others
 * wait in, or one of them has told so already: that breaks nothing else. */
static bool is_given_up(mst_link *link, int *member)
{
    mst_link_reason reason;

    if (!link->methods->is_broken(link, &reason) || reason.about < 0 || reason.about >= link->size)
        return false;
    *member = reason.about;
    return reason.status == MUSTER_ERR_NO_SPACE ||
           (reason.status == MUSTER_ERR_PEER_DIED && reason.termination.kind == MUSTER_TERMINATION_NONE);
}

/* Breaks the parent, unless only the new group is concerned; and the new link, if that is what they wait in:
 * its transfers must end. */
static muster_status fail(const mst_making *making, mst_link *link, muster_status status)
{
    mst_error_copy error;
    int member = -1;

    mst_error_keep(&error);
    bool is_new = link != making->parent->link;
    bool harmless = is_new && mst_hosts_broken(making->parent) == MUSTER_OK && is_given_up(link, &member);
    mst_error_again(&error);
    if (harmless)
        status = mst_refuse_part(making->ranks[member], MUSTER_ERR_NO_SPACE);
    else
        status = mst_hosts_failed(making->parent, status, making->doing);
    mst_error_keep(&error);
    if (!is_new)
        return status;
    mst_link_reason reason = { .status = status, .about = member };
    snprintf(reason.sentence, sizeof reason.sentence, "%s", mst_error_sentence());
    link->methods->tell(link, &reason);
    return mst_error_again(&error);
}

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
    mst_error_copy error;
    fail(making, link, status);
    mst_error_keep(&error);
    mst_hosts_end(parent, link, transfers, count);
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
    mst_told *own =
        &making->parent->room.told[making->parent->base.size]; /* `all` is overwritten meanwhile */
    *own = all[link->rank];
    muster_status status = link->methods->send(link, 0, MST_LINK_SPLITS, own, sizeof *own, &transfers[0]);
    if (status == MUSTER_OK)
        status = link->methods->receive(link, 0, MST_LINK_SPLITS, all, size * sizeof *all, &transfers[1]);
    int first = link == making->parent->link ? 0 : making->ranks[0];
    const int root[2] = { first, first };
    return await(making, link, transfers, root, 2, status);
}

muster_status mst_tell_all(const mst_making *making, mst_link *link, mst_told *all)
{
    const mst_hosts_room *room = &making->parent->room;
    size_t size = (size_t)link->size;

    memset(room->transfers, 0, (size + 1) * sizeof *room->transfers);
    for (size_t i = 0; i + 1 < size; i++)
        room->peers[i] = link == making->parent->link ? (int)i + 1 : making->ranks[i + 1];
    return tell_others(making, link, all, room->transfers, room->peers);
}
