/*
 * shrink and grow: from a group that may have lost ranks, a group of the survivors and, in grow, of those
 * that replace the lost ranks.
 *
 * Each survivor claims new memory, publishes its part in its cell of the old group (E11), and waits until
 * every other member has done so, has ended, or has left; in grow, also until every replacement that the
 * launcher has announced is ready, or will not come (respawned.h). Then all use one membership list
 * (decision.h), and every survivor admits the respawned ranks on it, so that a single survivor is enough. A
 * rank that dies after that is a dead member of the new group, which breaks at its first use, and can be
 * shrunk in turn.
 *
 * Cost: one wait for the slowest survivor, a pass over the members, a doorbell per member; in grow, also a
 * wait for the respawned ranks.
 */
#include "src/onehost/create/regroup.h"

#include <stdio.h>
#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/base/ranklist.h"
#include "shm/group/group_blocks.h"
#include "shm/port/os.h"
#include "src/onehost/create/child.h"
#include "src/onehost/create/create.h"
#include "src/onehost/create/decision.h"
#include "src/onehost/create/respawned.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/wait/broken.h"

/* ---- arriving ---- */

static mst_cell *own_cell(const mst_group *group)
{
    return group->cell;
}

/* Waited for still. */
static bool is_missing(const void *arg, int rank)
{
    const mst_regroup_call *regroup = arg;

    return !mst_regroup_has_arrived(regroup, rank) && !mst_regroup_never_comes(regroup->group, rank);
}

static bool all_accounted_for(const void *arg)
{
    const mst_regroup_call *regroup = arg;

    for (int rank = 0; rank < regroup->group->base.size; rank++)
        if (is_missing(regroup, rank))
            return false;
    return !regroup->grows || mst_respawned_are_here(regroup->group);
}

/* Has our proposal freed in the regroup after the next. Those who read it do so before they arrive at the
 * next one, and catch_up awaits that (E11). Not for proposals that a respawned rank may read still. */
static void keep_list(const mst_regroup_call *regroup)
{
    regroup->group->old_lists[regroup->number & 1] = regroup->list_offset;
}

static void free_old_list(mst_group *group, uint64_t number)
{
    uint64_t *offset = &group->old_lists[number & 1];

    if (*offset)
        mst_subarena_release_block(group->subarena, *offset);
    *offset = 0;
}

/* Allocates our part of the new group, and the memory of our proposal. */
static muster_status claim(mst_regroup_call *regroup)
{
    mst_group *group = regroup->group;
    mst_attachment *attachment = group->subarena->attachment;
    int room = group->base.size + (regroup->grows ? (int)attachment->geometry.size : 0);

    free_old_list(group, regroup->number);
    regroup->list =
        (mst_member_list){ calloc((size_t)room, sizeof(mst_member)), room, 0, attachment->waits.policy };
    if (!regroup->list.members)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of up to %d", room);
    muster_status status =
        mst_subarena_claim_block(group->subarena, mst_member_list_bytes(room), &regroup->list_offset);
    return status == MUSTER_OK ? mst_member_claim(attachment, &regroup->own) : status;
}

/* Publishes how many regroups we have arrived at, and whether we are in one: then ranks that wait for us in
 * other calls give up. After a failed regroup we use the group as before. */
static void publish(const mst_group *group, uint64_t arrived, bool inside)
{
    mst_store64_rel(&own_cell(group)->regroups, arrived << 1 | inside); /* E11 */
}

/* Publishes our part, and wakes everyone who may wait for it. */
static void arrive(const mst_regroup_call *regroup, muster_status claimed)
{
    mst_group *group = regroup->group;

    *mst_regroup_record_of(regroup, group->base.rank) = (mst_regroup_record){
        .member = mst_child_record(&regroup->own, claimed),
        .list_offset = regroup->list_offset,
        .grows = regroup->grows,
    };
    mst_fault_point("regroup.arrive");
    publish(group, regroup->number, true);
    mst_fault_point("regroup.arrived");
    for (int rank = 0; rank < group->base.size; rank++)
        if (rank != group->base.rank)
            mst_eventcount_advance(&group->subarena->cells[rank]->doorbell);
    mst_eventcount_advance(
        &mst_layout_header(&group->subarena->attachment->geometry)->arrivals); /* for ranks in grow */
}

static muster_status explain_late(const mst_regroup_call *regroup)
{
    const mst_group *group = regroup->group;
    double waited_s = (double)group->base.timeout_ns / MST_NS_PER_S;
    char text[120];
    int first = 0;

    int count = mst_ranklist(text, sizeof text, group->base.size, is_missing, regroup);
    while (first < group->base.size && !is_missing(regroup, first)) /* one may have come since */
        first++;
    if (count == 0)
        mst_fail(MUSTER_ERR_TIMED_OUT,
                 "rank %d waited %.3g s in grow for replacements that the launcher has announced",
                 group->base.rank, waited_s);
    else
        mst_fail_about(first < group->base.size ? first : -1, MUSTER_ERR_TIMED_OUT,
                       "rank %d waited %.3g s in %s for %s, which %s and %s not called it", group->base.rank,
                       waited_s, mst_regroup_name(regroup), text, count > 1 ? "live" : "lives",
                       count > 1 ? "have" : "has");
    mst_error_late(group->base.timeout_ns);
    return mst_group_error(group, MUSTER_ERR_TIMED_OUT);
}

/* ---- waiting for the other members ---- */

static void describe(const void *arg, char *text, size_t bytes)
{
    const mst_regroup_call *regroup = arg;

    snprintf(text, bytes, "%s #%llu of a group of %d", mst_regroup_name(regroup),
             (unsigned long long)regroup->number, regroup->group->base.size);
}

/* All missing ranks are awaited. The first of them is enough to find a wait cycle, sooner or later, since the
 * ranks that have arrived wait for the same ones. A member that waits for us in a call of another group
 * arrives here once that call has failed. */
static void find_peers(const void *arg, int peers[2])
{
    const mst_regroup_call *regroup = arg;

    peers[0] = -1;
    for (int rank = regroup->group->base.size - 1; rank >= 0; rank--)
        if (is_missing(regroup, rank))
            peers[0] = rank;
}

/* Respawned ranks know no doorbell of this group, and advance the count of arrivals, as attaching ranks
 * do. */
static muster_status gather(mst_regroup_call *regroup)
{
    static const mst_wait_kind kind = { .describe = describe, .find_peers = find_peers, .regroups = true };
    mst_group *group = regroup->group;
    mst_eventcount *event = regroup->grows
                                ? &mst_layout_header(&group->subarena->attachment->geometry)->arrivals
                                : &own_cell(group)->doorbell;

    regroup->waiting = (mst_waiting){ &kind, group, regroup };
    regroup->waiter = mst_attachment_waiter(group->subarena->attachment);
    regroup->waiter.poison = &group->interrupted;
    regroup->waiter.deadline.limit_ns = group->base.timeout_ns;
    regroup->waiter.watch = mst_waiting_watch(&regroup->waiting);
    mst_store64_rlx(&group->interrupted, 0);
    switch (mst_wait_until(&regroup->waiter, mst_eventcount_parking(event), all_accounted_for, regroup, -1)) {
    case MST_WAIT_READY:
        mst_group_arrived(group, MUSTER_CALL_SPLIT, &regroup->waiter);
        return MUSTER_OK;
    case MST_WAIT_POISONED:
        return mst_group_interrupted(group, mst_regroup_name(regroup));
    default:
        return explain_late(regroup);
    }
}

/* A rank that is late for the last regroup, which may have failed here, still reads our record of it, and the
 * record after the next would overwrite that: so all must arrive at the last before we arrive at the next. */
static muster_status catch_up(const mst_regroup_call *next)
{
    mst_regroup_call last = *next;

    last.number--;
    publish(next->group, last.number, true);
    return gather(&last);
}

/* ---- the whole call ---- */

static bool may_try_again(muster_status status)
{
    return status == MUSTER_ERR_NO_SPACE || status == MUSTER_ERR_MISMATCH;
}

/* Once the group exists: waits until the respawned ranks have joined it, or never will. */
static muster_status receive(mst_regroup_call *regroup, mst_group **made)
{
    muster_status status = mst_respawned_await(regroup->group, &regroup->list, &regroup->waiter);

    if (status == MUSTER_OK)
        return MUSTER_OK;
    mst_subarena_abandon_block(regroup->group->subarena, regroup->list_offset); /* may still be read */
    mst_group_close(&(*made)->base);
    *made = NULL;
    return status;
}

static muster_status form(mst_regroup_call *regroup, mst_group **made)
{
    mst_group *group = regroup->group;
    mst_attachment *attachment = group->subarena->attachment;
    uint32_t list_seat = 0;
    uint64_t list_offset = 0;
    mst_group *child;

    muster_status status = mst_decision_read(regroup, &list_seat, &list_offset);
    if (may_try_again(status)) { /* all have seen it, so nobody uses the part, and nobody is admitted */
        keep_list(regroup);
        mst_member_release(attachment, &regroup->own);
        return status;
    }
    if (status == MUSTER_OK && regroup->grows)
        status = mst_respawned_admit(group, &regroup->list, list_seat, list_offset);
    if (status != MUSTER_OK) {
        mst_member_abandon(attachment, &regroup->own);
        return status;
    }
    status = mst_child_create(group, regroup->list.members,
                              mst_member_list_find(&regroup->list, group->subarena->own.seat),
                              regroup->list.size, &regroup->own, &child);
    if (status == MUSTER_OK && regroup->grows)
        status = receive(regroup, &child);
    if (status == MUSTER_OK) {
        keep_list(regroup);
        child->whole = group->whole;
        *made = child;
    }
    return status;
}

static muster_status agree_and_form(mst_regroup_call *regroup, mst_group **made)
{
    mst_attachment *attachment = regroup->group->subarena->attachment;
    mst_error_copy why;

    mst_group_begin(regroup->group);
    mst_group_show(regroup->group, MUSTER_CALL_SPLIT, regroup->group->split + regroup->number,
                   &(mst_doing){ .kind = regroup->grows ? MST_DOING_GROW : MST_DOING_SHRINK,
                                 .peer = -1,
                                 .operation = regroup->number });
    muster_status status = catch_up(regroup);
    if (status != MUSTER_OK)
        return status;
    regroup->group->regroups = regroup->number;
    muster_status claimed = claim(regroup);
    if (claimed != MUSTER_OK)
        mst_error_keep(&why);
    arrive(regroup, claimed); /* even if claiming failed: the others must know */
    do
        status = gather(regroup);
    while (status == MUSTER_OK && regroup->list_offset && !mst_decision_propose(regroup));
    if (claimed != MUSTER_OK) {
        keep_list(regroup); /* all fail by our record, and admit nobody */
        return mst_error_again(&why);
    }
    if (status != MUSTER_OK) {
        mst_member_abandon(attachment, &regroup->own);
        return status;
    }
    return form(regroup, made);
}

muster_status mst_regroup(muster_group *of, bool grows, muster_group **made)
{
    mst_group *group = mst_group_of(of);
    mst_regroup_call regroup = { .group = group, .number = group->regroups + 1, .grows = grows };
    mst_group *child = NULL;

    muster_status status = mst_group_broken(group); /* the group may be broken */
    if (status == MUSTER_ERR_BAD_ARENA)
        return status;
    if (grows && !group->whole)
        return mst_fail(MUSTER_ERR_INVALID, "a group made by split cannot grow; grow the world, or the group "
                                            "that shrink made of it, and split that again");
    status = agree_and_form(&regroup, &child);
    publish(group, group->regroups, false);
    free(regroup.list.members);
    mst_group_shown(group, MUSTER_CALL_SPLIT);
    if (status == MUSTER_OK)
        *made = &child->base;
    return status;
}
