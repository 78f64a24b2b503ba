/*
 * Waiting for started operations of several groups over several hosts. Where all of them are carried as they
 * are, the wait is their carriers'. Otherwise it waits for whatever comes next, a carried operation or what a
 * run has started, and advances the runs.
 */
#include "src/hosts/await.h"

#include <stdlib.h>

#include "src/hosts/await_carried.h"
#include "src/hosts/awaiting.h"
#include "src/hosts/broken.h"
#include "src/hosts/pending.h"
#include "src/hosts/rest.h"
#include "src/hosts/showing.h"

static mst_hosts_group *group_of(const muster_request *request)
{
    return mst_hosts_of(request->group);
}

static bool grow(mst_awaiting *awaiting)
{
    size_t room = awaiting->room ? 2 * awaiting->room : 32;
    muster_request *requests = realloc(awaiting->requests, room * sizeof *requests);
    int *peers = realloc(awaiting->peers, room * sizeof *peers);
    mst_origin *origins = realloc(awaiting->origins, room * sizeof *origins);

    awaiting->requests = requests ? requests : awaiting->requests;
    awaiting->peers = peers ? peers : awaiting->peers;
    awaiting->origins = origins ? origins : awaiting->origins;
    if (!requests || !peers || !origins)
        return false;
    awaiting->room = room;
    return true;
}

static muster_status add(mst_awaiting *awaiting, muster_request request, int peer, mst_origin origin)
{
    if (awaiting->count == awaiting->room && !grow(awaiting))
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a wait");
    awaiting->requests[awaiting->count] = request;
    awaiting->peers[awaiting->count] = peer;
    awaiting->origins[awaiting->count++] = origin;
    return MUSTER_OK;
}

/* What the first run of a group that is not over waits for. */
static muster_status add_run(mst_awaiting *awaiting, mst_run *run)
{
    muster_status status = MUSTER_OK;

    for (size_t i = 0; i < run->request_count && status == MUSTER_OK; i++)
        if (run->requests[i].group)
            status = add(awaiting, run->requests[i], run->peers[i], (mst_origin){ run, i });
    return status;
}

static muster_status fill_in(mst_awaiting *awaiting)
{
    mst_wait_set *set = awaiting->set;
    muster_status status = MUSTER_OK;

    awaiting->count = 0;
    for (size_t i = awaiting->first; i < set->count && status == MUSTER_OK; i++) {
        if (!set->requests[i].group)
            continue;
        if (!mst_hosts_is_run(&set->requests[i])) {
            status = add(awaiting, mst_hosts_carried(&set->requests[i]), -1, (mst_origin){ NULL, i });
        } else if (!group_of(&set->requests[i])->listed) {
            mst_run *first = mst_hosts_advance(group_of(&set->requests[i]));

            group_of(&set->requests[i])->listed = true;
            status = first ? add_run(awaiting, first) : MUSTER_OK;
        }
    }
    for (size_t i = awaiting->first; i < set->count; i++)
        if (set->requests[i].group && mst_hosts_is_run(&set->requests[i]))
            group_of(&set->requests[i])->listed = false;
    return status;
}

/* ---- taking ---- */

static muster_status take(const mst_wait_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const muster_request *request = &set->requests[i];
        mst_run *run = request->group && mst_hosts_is_run(request) ? mst_hosts_find(request) : NULL;

        if (!request->group || !mst_hosts_is_run(request))
            continue;
        if (!run)
            return mst_hosts_refuse_unknown();
        if (run->taken == set)
            return mst_fail(MUSTER_ERR_INVALID,
                            "the same operation is twice among the requests; give each once");
        run->taken = set;
        run->entered_ns = mst_hosts_now_ns();
        mst_hosts_attend(group_of(request), true);
    }
    return MUSTER_OK;
}

static void let_go(const mst_wait_set *set, mst_hosts_group *const *groups)
{
    for (size_t i = 0; i < set->count; i++) {
        const muster_request *request = &set->requests[i];
        mst_run *run = request->group && mst_hosts_is_run(request) ? mst_hosts_find(request) : NULL;

        if (run)
            run->taken = NULL;
        if (groups[i])
            mst_hosts_attend(groups[i], false);
    }
}

/* ---- completing ---- */

static muster_status look_at_run(const muster_request *request, bool *over)
{
    mst_run *run = mst_hosts_find(request);

    *over = mst_hosts_is_over(run);
    return *over ? mst_hosts_complete(run) : MUSTER_OK;
}

static void advance_each(const mst_wait_set *set)
{
    const muster_group *latest = NULL;

    for (size_t i = 0; i < set->count; i++) {
        const muster_request *request = &set->requests[i];

        if (!request->group || request->group == latest || !mst_hosts_is_run(request))
            continue;
        latest = request->group;
        mst_hosts_advance(group_of(request));
    }
}

/* Whether one is pending. */
static bool has_any(mst_awaiting *awaiting)
{
    while (awaiting->first < awaiting->set->count && !awaiting->set->requests[awaiting->first].group)
        awaiting->first++;
    return awaiting->first < awaiting->set->count;
}

/* Completes those that are over; for any, one. */
static muster_status look(mst_awaiting *awaiting, bool *completed)
{
    mst_wait_set *set = awaiting->set;
    muster_status status = MUSTER_OK;

    *completed = false;
    advance_each(set);
    has_any(awaiting);
    for (size_t i = awaiting->first; i < set->count && status == MUSTER_OK; i++) {
        muster_request *request = &set->requests[i];
        bool over = false;

        if (!request->group)
            continue;
        if (mst_hosts_is_run(request))
            status = look_at_run(request, &over);
        else
            status = mst_hosts_test(request->group, request->number, &over);
        if (!over && set->all)
            break; /* what comes later is completed later */
        if (!over)
            continue;
        awaiting->index = i;
        *completed = true;
        mst_request_over(request);
        if (!set->all)
            break;
    }
    return status;
}

/* After the first that has failed, those of broken groups. */
static void end_broken(mst_wait_set *set)
{
    mst_error_copy first;

    mst_error_keep(&first);
    for (size_t i = 0; i < set->count; i++) {
        muster_request *request = &set->requests[i];
        bool over = false;

        if (!request->group || mst_hosts_broken(group_of(request)) == MUSTER_OK)
            continue;
        mst_hosts_test(request->group, request->number, &over);
        if (over)
            mst_request_over(request);
    }
    mst_error_again(&first);
}

/* ---- waiting ---- */

/* What a wait has reset is over, with this status. */
static muster_status note(mst_awaiting *awaiting, muster_status status, bool *completed)
{
    *completed = false;
    for (size_t k = 0; k < awaiting->count; k++) {
        const mst_origin *from = &awaiting->origins[k];

        if (awaiting->requests[k].group)
            continue;
        if (from->run) {
            from->run->requests[from->at] = awaiting->requests[k];
            if (status != MUSTER_OK)
                mst_hosts_fail_run(from->run, status);
            return MUSTER_OK; /* the next look completes it */
        }
        muster_request *request = &awaiting->set->requests[from->at];
        if (status != MUSTER_OK)
            status = mst_hosts_message_failed(group_of(request), status);
        mst_request_over(request);
        awaiting->index = from->at;
        *completed = true;
        return status;
    }
    return status;
}

/* Waits for one thing more. */
static muster_status await_one(mst_awaiting *awaiting, bool *completed)
{
    mst_run *run = NULL;

    *completed = false;
    muster_status status = fill_in(awaiting);
    for (size_t k = 0; k < awaiting->count && !run; k++)
        run = awaiting->origins[k].run;
    if (status != MUSTER_OK || !run) /* then all runs of the set are over */
        return status;
    return note(awaiting, mst_awaiting_sleep(awaiting, run), completed);
}

static bool has_runs(const mst_wait_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->requests[i].group && mst_hosts_is_run(&set->requests[i]))
            return true;
    return false;
}

/* A group that was broken before gives no results any more. */
static muster_status refuse_broken(mst_awaiting *awaiting)
{
    const muster_group *latest = NULL;
    muster_status status = MUSTER_OK;

    for (size_t i = 0; i < awaiting->set->count && status == MUSTER_OK; i++) {
        muster_request *request = &awaiting->set->requests[i];

        if (!request->group || request->group == latest)
            continue;
        latest = request->group;
        status = mst_hosts_ready(group_of(request));
        if (status == MUSTER_OK)
            continue;
        bool over;
        status = mst_hosts_test(request->group, request->number, &over);
        if (over)
            mst_request_over(request);
        awaiting->index = i;
    }
    return status;
}

static muster_status wait_mixed(mst_awaiting *awaiting)
{
    mst_wait_set *set = awaiting->set;
    bool completed = false;

    muster_status status = refuse_broken(awaiting);
    if (status == MUSTER_OK)
        status = look(awaiting, &completed);
    while (status == MUSTER_OK && has_any(awaiting) && !(completed && !set->all)) {
        if (!has_runs(set))
            return mst_hosts_wait_carried(set, &awaiting->index);
        status = await_one(awaiting, &completed);
        if (status == MUSTER_OK && !completed)
            status = look(awaiting, &completed);
    }
    if (set->all && status != MUSTER_OK)
        end_broken(set);
    return status;
}

static muster_status wait_taken(mst_wait_set *set, size_t *index)
{
    mst_awaiting awaiting = { .set = set, .index = set->count };

    muster_status status = wait_mixed(&awaiting);
    *index = awaiting.index;
    free(awaiting.requests);
    free(awaiting.peers);
    free(awaiting.origins);
    return status;
}

/* Where some are collectives. */
static muster_status wait_for_runs(mst_wait_set *set, size_t *index)
{
    mst_hosts_group **groups =
        calloc(set->count, sizeof(mst_hosts_group *)); /* requests are reset meanwhile */
    if (!groups)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a wait");
    for (size_t i = 0; i < set->count; i++)
        if (set->requests[i].group && mst_hosts_is_run(&set->requests[i]))
            groups[i] = group_of(&set->requests[i]);
    for (size_t i = 0; i < set->count; i++)
        if (groups[i])
            mst_hosts_watch_anew(groups[i], MUSTER_CALL_COLLECTIVE);
    muster_status status = take(set);
    if (status == MUSTER_OK)
        status = wait_taken(set, index);
    let_go(set, groups);
    free(groups);
    return status;
}

muster_status mst_hosts_wait(mst_wait_set *set, size_t *index)
{
    mst_hosts_group *latest = NULL;
    muster_status status = MUSTER_OK;

    *index = set->count;
    for (size_t i = 0; i < set->count && status == MUSTER_OK; i++)
        if (set->requests[i].group) {
            mst_hosts_group *group = group_of(&set->requests[i]);

            status = mst_hosts_admit(group);
            if (!latest || group->world != latest->world)
                mst_hosts_advance_others(group);
            latest = group->link || !latest ? group : latest;
        }
    if (status != MUSTER_OK)
        return status;
    status = has_runs(set) ? wait_for_runs(set, index) : mst_hosts_wait_carried(set, index);
    if (latest)
        mst_hosts_leave_rest(latest);
    return status;
}
