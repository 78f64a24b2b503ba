/* Runs collectives, and waits for started operations, for pending.h. */
#include "src/hosts/pending.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/hosts/agree.h"
#include "src/hosts/broken.h"
#include "src/hosts/collectives.h"
#include "src/hosts/rest.h"
#include "src/hosts/run.h"
#include "src/hosts/showing.h"

static muster_status name_error(const mst_request *request, muster_status status)
{
    char name[MUSTER_CALL_NAME_BYTES];

    if (status == MUSTER_OK)
        return status;
    mst_collective_name(request->collective, request->op, request->made ? request->made->name : NULL, name,
                        sizeof name);
    mst_error_operation(name);
    return status;
}

/* ---- the runs of a group; with its lock ---- */

static mst_run **place_of(const mst_hosts_group *group, uint64_t operation)
{
    return &group->table[operation & (group->table_size - 1)];
}

/* A place for the number, which no other one has. */
static bool make_place(mst_hosts_group *group, uint64_t operation)
{
    uint64_t size = group->table_size ? group->table_size : 16;
    mst_run **table = group->table;

    if (table && !*place_of(group, operation))
        return true;
    while (table && operation - group->first->operation >= size)
        size *= 2;
    mst_run **grown = calloc(size, sizeof(mst_run *));
    if (!grown)
        return false;
    group->table = grown;
    group->table_size = size;
    for (mst_run *run = group->first; run; run = run->next)
        *place_of(group, run->operation) = run;
    free(table);
    return true;
}

static void append(mst_hosts_group *group, mst_run *run)
{
    run->previous = group->last;
    *(group->last ? &group->last->next : &group->first) = run;
    group->last = run;
    if (!group->active)
        group->active = run;
    *place_of(group, run->operation) = run;
}

static void take_off(mst_hosts_group *group, mst_run *run)
{
    *(run->previous ? &run->previous->next : &group->first) = run->next;
    *(run->next ? &run->next->previous : &group->last) = run->previous;
    if (group->active == run)
        group->active = run->next;
    *place_of(group, run->operation) = NULL;
}

/* Advances all that can be; the first that is not over; NULL: there is none. */
static mst_run *advance(mst_hosts_group *group)
{
    while (group->active && mst_run_advance(group->active))
        group->active = group->active->next;
    return group->active;
}

/* Enters a collective; NULL and *status: it cannot. */
static mst_run *enter(mst_hosts_group *group, const mst_request *request, bool started, muster_status *status)
{
    *status = mst_hosts_ready(group);
    if (*status == MUSTER_OK)
        *status = mst_hosts_admit_collective(request);
    if (*status != MUSTER_OK)
        return NULL;
    mst_run *run = mst_run_create(group, request);
    mst_hosts_lock(&group->lock);
    if (!run || !make_place(group, group->operation + 1)) {
        mst_hosts_unlock(&group->lock);
        if (run)
            mst_run_free(run);
        *status = mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a collective over several hosts");
        return NULL;
    }
    run->started = started;
    run->operation = ++group->operation;
    group->under_way += started;
    run->entered_ns = mst_hosts_now_ns();
    run->number = mst_started_number(run->operation, MUSTER_CALL_COLLECTIVE);
    append(group, run);
    (started ? mst_hosts_show_started : mst_hosts_show_run)(run);
    muster_status agreed = mst_hosts_agree(run, mst_plan_collective);
    if (agreed != MUSTER_OK)
        mst_run_fail(run, agreed);
    mst_hosts_unlock(&group->lock);
    return run;
}

muster_status mst_hosts_complete(mst_run *run)
{
    mst_hosts_group *group = run->group;

    mst_hosts_lock(&group->lock);
    muster_status status = run->status;
    group->under_way -= run->started;
    if (!run->started)
        mst_hosts_unshow_run(group);
    mst_hosts_record_run(run);
    take_off(group, run);
    mst_hosts_unlock(&group->lock);
    if (status != MUSTER_OK)
        mst_error_again(&run->error);
    name_error(&run->request, status);
    mst_run_free(run);
    return status;
}

mst_run *mst_hosts_find(const muster_request *request)
{
    mst_hosts_group *group = mst_hosts_of(request->group);

    mst_hosts_lock(&group->lock);
    mst_run *run = group->table ? *place_of(group, request->number / MUSTER_CALL_CLASS_COUNT) : NULL;
    bool found = run && run->number == request->number;
    mst_hosts_unlock(&group->lock);
    return found ? run : NULL;
}

bool mst_hosts_is_over(mst_run *run)
{
    mst_hosts_lock(&run->group->lock);
    bool over = run->over;
    mst_hosts_unlock(&run->group->lock);
    return over;
}

bool mst_hosts_advance_unattended(mst_hosts_group *group)
{
    return !group->attended && !group->link->methods->refusal(group->link) && advance(group);
}

void mst_hosts_advance_others(mst_hosts_group *group)
{
    mst_hosts_world *world = group->world;

    if (!mst_hosts_try_to_lock(&world->lock))
        return;
    for (mst_hosts_group *at = world->groups; at; at = at->next) {
        if (!mst_hosts_try_to_lock(&at->lock))
            continue;
        mst_hosts_advance_unattended(at);
        mst_hosts_unlock(&at->lock);
    }
    mst_hosts_unlock(&world->lock);
}

/* ---- waiting ---- */

void mst_hosts_attend(mst_hosts_group *group, bool attended)
{
    mst_hosts_lock(&group->lock);
    group->attended = attended;
    if (!attended)
        mst_hosts_unshow_run(group);
    bool goes_on = !attended && group->active;
    mst_hosts_unlock(&group->lock);
    if (goes_on)
        mst_hosts_call_thread(group->world);
}

mst_run *mst_hosts_advance(mst_hosts_group *group)
{
    mst_hosts_lock(&group->lock);
    mst_run *first = advance(group);
    mst_hosts_unlock(&group->lock);
    return first;
}

void mst_hosts_fail_run(mst_run *run, muster_status status)
{
    mst_hosts_lock(&run->group->lock);
    mst_run_fail(run, status);
    mst_hosts_unlock(&run->group->lock);
}

bool mst_hosts_is_fenced(mst_run *run)
{
    mst_hosts_lock(&run->group->lock);
    bool fenced = run->fenced;
    mst_hosts_unlock(&run->group->lock);
    return fenced;
}

/* Waits until all that the run has started is over. */
static void await_run(mst_run *run, int64_t limit_ns)
{
    mst_hosts_group *group = run->group;
    char doing[160];

    mst_run_describe(run, doing, sizeof doing);
    mst_hosts_watch_begin(group,
                          &(mst_hosts_watching){ .class = MUSTER_CALL_COLLECTIVE,
                                                 .of = run->operation,
                                                 .limit_ns = limit_ns,
                                                 .doing = doing,
                                                 .peers = run->peers },
                          run->requests, run->request_count);
    muster_status status =
        group->link->methods->wait(group->link, run->requests, run->request_count, true, 0);
    mst_hosts_watch_end(group, MUSTER_CALL_COLLECTIVE);
    if (status != MUSTER_OK)
        mst_hosts_fail_run(run, status);
}

muster_status mst_hosts_collective(muster_group *of, const mst_request *request)
{
    mst_hosts_group *group = mst_hosts_of(of);
    muster_status status;
    mst_run *run, *first;

    mst_hosts_advance_others(group); /* a short operation may have no tick */
    if (!group->link)
        return mst_hosts_message_failed(group, group->local->backend->collective(group->local, request));
    run = enter(group, request, false, &status);
    if (!run)
        return name_error(request, status);
    mst_hosts_attend(group, true);
    mst_hosts_watch_anew(group, MUSTER_CALL_COLLECTIVE);
    while ((first = mst_hosts_advance(group)) != NULL && !mst_hosts_is_over(run))
        await_run(first, first->limit_ns);
    mst_hosts_attend(group, false);
    mst_hosts_leave_rest(group);
    return mst_hosts_complete(run);
}

/* ---- started operations ---- */

muster_status mst_hosts_start(muster_group *of, const mst_request *request, uint64_t *number)
{
    mst_hosts_group *group = mst_hosts_of(of);
    muster_status status;

    mst_hosts_advance_others(group);
    if (!group->link) {
        status = group->local->backend->start(group->local, request, number);
        if (status == MUSTER_OK)
            mst_count_started(group->local, MUSTER_CALL_COLLECTIVE, 1);
        return mst_hosts_message_failed(group, status);
    }
    mst_run *run = enter(group, request, true, &status);
    if (!run)
        return name_error(request, status);
    *number = run->number;
    if (mst_hosts_advance(group))
        mst_hosts_call_thread(group->world);
    else
        mst_hosts_leave_rest(group);
    return MUSTER_OK;
}

bool mst_hosts_is_run(const muster_request *request)
{
    return mst_hosts_of(request->group)->link && mst_started_class(request->number) == MUSTER_CALL_COLLECTIVE;
}

muster_status mst_hosts_refuse_unknown(void)
{
    return mst_fail(MUSTER_ERR_INVALID,
                    "the request is not pending: its operation has been completed already");
}

muster_request mst_hosts_carried(const muster_request *request)
{
    if (!request->group)
        return *request;
    return (muster_request){ mst_hosts_carrier(mst_hosts_of(request->group)), request->number };
}

static muster_status test_carried(mst_hosts_group *group, const muster_request *asked, bool *over)
{
    muster_request request = mst_hosts_carried(asked);
    muster_status status = muster_test(&request, over);

    *over = !request.group;
    return mst_hosts_message_failed(group, status);
}

muster_status mst_hosts_test(muster_group *of, uint64_t number, bool *over)
{
    mst_hosts_group *group = mst_hosts_of(of);
    const muster_request asked = { of, number };

    *over = false;
    muster_status status = mst_hosts_admit(group);
    if (status != MUSTER_OK)
        return status;
    mst_hosts_advance_others(group);
    if (!mst_hosts_is_run(&asked))
        return test_carried(group, &asked, over);
    mst_run *run = mst_hosts_find(&asked);
    if (!run)
        return mst_hosts_refuse_unknown();
    mst_hosts_advance(group);
    mst_hosts_look_if_owed(group);
    status = mst_hosts_ready(group);
    if (status != MUSTER_OK)
        mst_hosts_fail_run(run, status);
    *over = mst_hosts_is_over(run);
    if (!*over)
        return MUSTER_OK;
    if (!group->attended) /* else a wait has begun before */
        run->entered_ns = mst_hosts_now_ns();
    muster_status ended = mst_hosts_complete(run);
    return status == MUSTER_OK ? ended : mst_hosts_broken(group);
}
