/*
 * split, dup and subset over several hosts, for children.h. All members tell all others what they give, by
 * way of rank 0, so each knows who is in its group. Then the members on a host make its part there, by a
 * split or a subset of the local group, and all members make a link, if they are on several hosts. At last
 * they tell each other whether that has succeeded: a group is made on all of its members, or on none.
 */
#include "src/hosts/children.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/hosts/broken.h"
#include "src/hosts/making.h"
#include "src/hosts/rest.h"
#include "src/hosts/showing.h"

static muster_status refuse_memory(void)
{
    return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group");
}

/* ---- making ---- */

/* Whether several hosts have members. */
static bool spans(const mst_hosts_group *parent, const int *ranks, int count)
{
    for (int i = 1; i < count; i++)
        if (parent->places.host[ranks[i]] != parent->places.host[ranks[0]])
            return true;
    return false;
}

static void discard(mst_making *making)
{
    bool owned = making->made && making->spans;

    if (making->made)
        mst_hosts_close(&making->made->base);
    else if (making->local)
        muster_group_free(making->local);
    if (making->link && !owned)
        making->link->methods->close(making->link);
    making->made = NULL;
    making->local = NULL;
    making->link = NULL;
}

/* Whether the parts have the members that are listed: what the list was made of comes from other hosts, and
 * the arrays of the group are as long as its parts say. */
static muster_status check_parts(const mst_making *making)
{
    const mst_places *places = &making->parent->places;
    int here = 0, linked = making->link ? making->link->size : making->count;

    for (int i = 0; i < making->count; i++)
        here += places->host[making->ranks[i]] == places->own_host;
    if (making->local->size == here && linked == making->count)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_BAD_ARENA,
                    "a group was to have %d members, %d of them on this host, and its parts have %d and %d: "
                    "a member has told the others something else than it did",
                    making->count, here, linked, making->local->size);
}

/* The group of a making, which owns its parts then. */
static muster_status create(mst_making *making)
{
    mst_hosts_group *parent = making->parent;
    muster_status status = check_parts(making);

    if (status != MUSTER_OK)
        return status;
    int *seats = calloc(2 * (size_t)making->count, sizeof *seats), *machine = seats + making->count;

    for (int i = 0; seats && i < making->count; i++) {
        seats[i] = parent->seats[making->ranks[i]];
        machine[i] = parent->places.host[making->ranks[i]];
    }
    if (seats)
        making->made = mst_hosts_create(parent->world, making->local, making->spans ? making->link : NULL,
                                        seats, machine, &parent->base);
    free(seats);
    return making->made ? MUSTER_OK : refuse_memory();
}

/* The same where nobody else is told. */
static muster_status create_here(mst_making *making, muster_group **made)
{
    muster_status status = create(making);

    if (status != MUSTER_OK)
        discard(making);
    else
        *made = &making->made->base;
    return status;
}

/* ---- split ---- */

static bool goes_before(const mst_told *all, int a, int b)
{
    return all[a].key != all[b].key ? all[a].key < all[b].key : a < b;
}

/* The members of this rank's color in the order of their keys; returns how many. */
static int list_members(const mst_told *all, int size, int own, int *ranks)
{
    int count = 0;

    for (int rank = 0; rank < size; rank++) {
        int at = count;

        if (all[rank].color != all[own].color)
            continue;
        for (; at > 0 && goes_before(all, rank, ranks[at - 1]); at--)
            ranks[at] = ranks[at - 1];
        ranks[at] = rank;
        count++;
    }
    return count;
}

static int place_of(const int *ranks, int count, int rank)
{
    int at = 0;

    while (at < count && ranks[at] != rank)
        at++;
    return at;
}

static muster_status compare_calls(mst_hosts_group *parent, const mst_told *all)
{
    static const char *const names[] = { "split", "dup" };

    for (int rank = 1; rank < parent->base.size; rank++)
        if (all[rank].copies != all[0].copies)
            return mst_hosts_break_pair(parent, rank, 0,
                                        "rank 0 called %s and rank %d %s; all must call the same",
                                        names[all[0].copies != 0], rank, names[all[rank].copies != 0]);
    return MUSTER_OK;
}

/* What came back of this rank's call: its own part of the group is made by it. */
static muster_status check_own(mst_hosts_group *parent, mst_told given, mst_told passed_on)
{
    if (given.copies == passed_on.copies && given.color == passed_on.color && given.key == passed_on.key)
        return MUSTER_OK;
    return mst_hosts_break(parent, 0, MUSTER_ERR_BAD_ARENA,
                           "rank %d gave color %d and key %d, and rank 0 passed on color %d and key %d",
                           parent->base.rank, (int)given.color, (int)given.key, (int)passed_on.color,
                           (int)passed_on.key);
}

static muster_status make_link(mst_making *making)
{
    mst_link *link = making->parent->link;

    return link->methods->subset(link, making->ranks, making->count, making->parent->base.timeout_ns,
                                 &making->link);
}

static bool breaks(muster_status status)
{
    return status >= MUSTER_ERR_PEER_DIED && status <= MUSTER_ERR_ABORTED;
}

/* All ranks of the parent do this; those without a color make no link. Where there was no room for the part
 * on this host, members on other hosts may have theirs, and wait for us in the link. */
static muster_status make_parts(mst_making *making, int color)
{
    mst_hosts_group *parent = making->parent;
    int place = place_of(making->ranks, making->count, parent->base.rank);

    parent->local->timeout_ns = parent->base.timeout_ns;
    muster_status status = muster_group_split(parent->local, color, place, &making->local);
    if (!making->spans || breaks(status))
        return status;
    mst_error_copy why;
    mst_error_keep(&why);
    muster_status linked = make_link(making);
    if (status == MUSTER_OK || breaks(linked))
        return linked;
    return mst_error_again(&why);
}

/* Whether all have succeeded: without memory, or room in the arena, some may not. */
static muster_status agree_on_parts(mst_making *making, mst_link *link, mst_told *all, muster_status own)
{
    mst_hosts_group *parent = making->parent;
    muster_status status;
    mst_error_copy why;

    mst_error_keep(&why);
    if (breaks(own)) {
        status = mst_hosts_failed(parent, own, making->doing);
        discard(making);
        return status;
    }
    all[link->rank].status = (int32_t)own;
    status = mst_tell_all(making, link, all);
    if (status == MUSTER_OK && own != MUSTER_OK)
        status = mst_error_again(&why);
    for (int rank = 0; rank < link->size && status == MUSTER_OK; rank++)
        if (all[rank].status != MUSTER_OK)
            status = mst_refuse_part(link == parent->link ? rank : making->ranks[rank],
                                     mst_hosts_known(all[rank].status));
    if (status != MUSTER_OK)
        discard(making);
    return status;
}

static muster_status split(mst_hosts_group *parent, mst_told *all, int *ranks, muster_group **child)
{
    int own = parent->base.rank, color = all[own].color;
    mst_told given = all[own];
    mst_making making = { .parent = parent, .doing = all[own].copies ? "dup" : "split", .ranks = ranks };

    muster_status status = mst_tell_all(&making, parent->link, all);
    if (status == MUSTER_OK)
        status = check_own(parent, given, all[own]);
    if (status == MUSTER_OK)
        status = compare_calls(parent, all);
    if (status != MUSTER_OK)
        return status;
    making.count = color == MUSTER_COLOR_NONE ? 0 : list_members(all, parent->base.size, own, ranks);
    making.spans = spans(parent, ranks, making.count);
    status = make_parts(&making, color);
    if (status == MUSTER_OK && making.count)
        status = create(&making);
    status = agree_on_parts(&making, parent->link, all, status);
    if (status == MUSTER_OK)
        *child = making.made ? &making.made->base : NULL;
    return status;
}

/* A group on one host is split there. */
static muster_status split_here(mst_hosts_group *parent, mst_told own, muster_group **child)
{
    mst_making making = { .parent = parent };
    muster_status status;

    if (own.copies)
        status = muster_group_dup(parent->local, &making.local);
    else
        status = muster_group_split(parent->local, own.color, own.key, &making.local);
    if (status != MUSTER_OK)
        return mst_hosts_message_failed(parent, status);
    *child = NULL;
    if (!making.local)
        return MUSTER_OK;
    int *ranks = calloc((size_t)making.local->size, sizeof *ranks);
    for (int i = 0; ranks && i < making.local->size; i++)
        ranks[i] = muster_group_translate(making.local, i, parent->local);
    making.ranks = ranks;
    making.count = making.local->size;
    if (ranks)
        status = create_here(&making, child);
    else
        discard(&making);
    free(ranks);
    return ranks ? status : refuse_memory();
}

static muster_status make_split(muster_group *of, mst_told own, muster_group **child)
{
    mst_hosts_group *parent = mst_hosts_of(of);
    size_t size = (size_t)of->size;

    if (!parent->link)
        return split_here(parent, own, child);
    muster_status status = mst_hosts_ready(parent);
    if (status != MUSTER_OK)
        return status;
    memset(parent->room.told, 0, size * sizeof *parent->room.told);
    parent->room.told[of->rank] = own;
    mst_hosts_showing showing;
    mst_hosts_show_begin(&showing, parent, own.copies ? MST_SHOWN_DUP : MST_SHOWN_SPLIT, MUSTER_CALL_SPLIT,
                         NULL);
    status = split(parent, parent->room.told, parent->room.ranks, child);
    mst_hosts_leave_rest(parent);
    mst_hosts_show_end(&showing, status == MUSTER_OK);
    return status;
}

muster_status mst_hosts_split(muster_group *group, int color, int key, muster_group **child)
{
    return make_split(group, (mst_told){ .color = color, .key = key }, child);
}

muster_status mst_hosts_dup(muster_group *group, muster_group **copy)
{
    return make_split(group, (mst_told){ .copies = 1, .key = group->rank }, copy);
}

/* ---- subset ---- */

/* The link first: it finds out whether all give the same list. Until all have their parts, waits are the
 * parent's. */
static muster_status subset(mst_making *making, muster_group **made)
{
    mst_hosts_group *parent = making->parent;
    int here = 0, *neighbours = parent->room.ranks;
    mst_told *all = parent->room.told;

    memset(all, 0, (size_t)making->count * sizeof *all);
    for (int i = 0; i < making->count; i++)
        if (parent->places.host[making->ranks[i]] == parent->places.own_host)
            neighbours[here++] = parent->places.place[making->ranks[i]];
    muster_status status = make_link(making);
    if (status != MUSTER_OK)
        return mst_hosts_message_failed(parent, status);
    mst_link *link = making->link;
    parent->local->timeout_ns = parent->base.timeout_ns;
    status = muster_group_subset(parent->local, neighbours, here, &making->local);
    if (status == MUSTER_OK)
        status = create(making);
    link->watch = mst_hosts_look;
    link->watched = parent;
    status = agree_on_parts(making, link, all, status);
    if (status != MUSTER_OK)
        return status;
    if (making->spans)
        link->watched = making->made;
    else
        link->methods->close(link);
    *made = &making->made->base;
    return MUSTER_OK;
}

/* Of a group on one host. */
static muster_status subset_here(mst_hosts_group *parent, const int *ranks, int count, muster_group **made)
{
    mst_making making = { .parent = parent, .ranks = ranks, .count = count };

    muster_status status = muster_group_subset(parent->local, ranks, count, &making.local);
    return status == MUSTER_OK ? create_here(&making, made) : mst_hosts_message_failed(parent, status);
}

muster_status mst_hosts_subset(muster_group *of, const int *ranks, int count, muster_group **made)
{
    mst_hosts_group *parent = mst_hosts_of(of);
    mst_making making = { .parent = parent, .doing = "subset", .ranks = ranks, .count = count };

    if (!parent->link)
        return subset_here(parent, ranks, count, made);
    muster_status status = mst_hosts_ready(parent);
    if (status != MUSTER_OK)
        return status;
    making.spans = spans(parent, ranks, count);
    mst_hosts_showing showing;
    mst_hosts_show_begin(&showing, parent, MST_SHOWN_SUBSET, MUSTER_CALL_SPLIT, NULL);
    mst_hosts_show_members(parent, ranks, count);
    status = subset(&making, made);
    mst_hosts_leave_rest(parent);
    mst_hosts_show_end(&showing, status == MUSTER_OK);
    return status;
}
