/*
 * Waiting for started operations: muster_wait, muster_test, muster_wait_any, muster_wait_all.
 *
 * A wait is a call of each class that its operations belong to, in each group that they belong to, so that
 * the state of a group has one user per class. It enters all of them first, each once, whichever requests
 * share it: `occupied` then contains the address of the wait's set. Where several threads may be in a class,
 * each wait has a list of its own. The backend does the rest.
 */
#include <stdlib.h>

#include "src/api/enter.h"
#include "src/api/operations.h"

static muster_status refuse_empty(void)
{
    return mst_fail(MUSTER_ERR_INVALID,
                    "the request is not pending: it was never started, or has been completed");
}

/* ---- entering all groups ---- */

static bool has_entered(const mst_wait_set *set, const muster_group *group, muster_call_class class)
{
    const mst_waited *at = set->groups[class];

    while (at && at->group != group)
        at = at->next;
    return at != NULL;
}

/* Beside other threads. */
static muster_status enter_beside(mst_wait_set *set, muster_group *group, muster_call_class class)
{
    if (has_entered(set, group, class))
        return MUSTER_OK;
    mst_waited *waited = set->one.group ? malloc(sizeof *waited) : &set->one;
    if (!waited)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a wait");
    muster_status status = mst_enter_messages(group, class);
    if (status != MUSTER_OK) {
        if (waited != &set->one)
            free(waited);
        return status;
    }
    *waited = (mst_waited){ set->groups[class], group };
    set->groups[class] = waited;
    return MUSTER_OK;
}

static muster_status enter(mst_wait_set *set, const muster_request *request)
{
    muster_call_class class = mst_started_class(request->number);
    muster_group *group = request->group;
    uint64_t us = (uint64_t)(uintptr_t)set;

    muster_status status = mst_check_group(group);
    if (status != MUSTER_OK)
        return status;
    if (mst_serves_several(group, class))
        return enter_beside(set, group, class);
    if (mst_load64_rlx(&group->occupied[class]) == us) /* nobody else stores it */
        return MUSTER_OK;
    uint64_t before = mst_cmpxchg64_sc(&group->occupied[class], 0, us);
    if (before != 0)
        return mst_refuse_second_thread(group, class);
    group->waited[class] = (mst_waited){ set->groups[class], group };
    set->groups[class] = &group->waited[class];
    return MUSTER_OK;
}

static void leave(const mst_wait_set *set, mst_waited *waited, muster_call_class class)
{
    muster_group *group = waited->group;

    if (waited == &group->waited[class]) {
        mst_leave(group, class);
        return;
    }
    if (waited != &set->one)
        free(waited);
    mst_leave_messages(group, class);
}

static void leave_all(const mst_wait_set *set)
{
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        for (mst_waited *waited = set->groups[class], *next; waited; waited = next) {
            next = waited->next;
            leave(set, waited, (muster_call_class) class);
        }
}

/* As the one before it is, in most waits for many. */
static bool is_of_same_call(const muster_request *request, const muster_request *entered)
{
    return request->group == entered->group &&
           mst_started_class(request->number) == mst_started_class(entered->number);
}

/* Enters the groups of all pending requests. *pending: one of them; NULL: there is none. */
static muster_status enter_all(mst_wait_set *set, const muster_request **pending)
{
    muster_status status = MUSTER_OK;

    *pending = NULL;
    for (size_t i = 0; i < set->count && status == MUSTER_OK; i++) {
        const muster_request *request = &set->requests[i];

        if (!request->group || (*pending && is_of_same_call(request, *pending)))
            continue;
        status = enter(set, request);
        if (status == MUSTER_OK && *pending && (*pending)->group->backend != request->group->backend)
            status = mst_fail(MUSTER_ERR_INVALID,
                              "the requests belong to groups of two backends, \"%s\" and "
                              "\"%s\"; wait for those of one at a time",
                              (*pending)->group->backend->name, request->group->backend->name);
        *pending = request;
    }
    if (status != MUSTER_OK)
        leave_all(set);
    return status;
}

/* ---- waiting ---- */

static muster_status check(const mst_wait_set *set)
{
    if (set->count && !set->requests)
        return mst_fail(MUSTER_ERR_INVALID, "the requests are NULL; expected an array of %zu", set->count);
    if (set->timeout_ns < 0)
        return mst_fail(MUSTER_ERR_INVALID,
                        "a timeout of %lld ns; expected 0 for the one that the operation began with, or more",
                        (long long)set->timeout_ns);
    return MUSTER_OK;
}

/* What has ended was combined by functions of the program's, perhaps. */
static muster_status check_functions(const mst_wait_set *set)
{
    muster_status status = MUSTER_OK;

    for (const mst_waited *waited = set->groups[MUSTER_CALL_COLLECTIVE]; waited && status == MUSTER_OK;
         waited = waited->next)
        if (waited->group->starts_functions)
            status = mst_op_outcome(waited->group);
    return status;
}

static muster_status wait(mst_wait_set *set, size_t *index, const char *name)
{
    const muster_request *pending;

    muster_status status = check(set);
    if (status == MUSTER_OK)
        status = enter_all(set, &pending);
    if (status != MUSTER_OK)
        return mst_named(name, status);
    *index = set->count;
    if (pending)
        status = pending->group->backend->wait(set, index);
    if (status == MUSTER_OK)
        status = check_functions(set);
    leave_all(set);
    return mst_named(name, status);
}

muster_status muster_wait(muster_request *request, int64_t timeout_ns)
{
    mst_wait_set set = { .requests = request, .count = 1, .timeout_ns = timeout_ns };
    size_t index;

    return request && request->group ? wait(&set, &index, "wait") : mst_named("wait", refuse_empty());
}

muster_status muster_wait_all(muster_request *requests, size_t count, int64_t timeout_ns)
{
    mst_wait_set set = { .requests = requests, .count = count, .all = true, .timeout_ns = timeout_ns };
    size_t index;

    return wait(&set, &index, "wait_all");
}

muster_status muster_wait_any(muster_request *requests, size_t count, int64_t timeout_ns, size_t *index)
{
    mst_wait_set set = { .requests = requests, .count = count, .timeout_ns = timeout_ns };
    size_t found;

    muster_status status = mst_check_place(index, "index");
    if (status != MUSTER_OK)
        return mst_named("wait_any", status);
    status = wait(&set, &found, "wait_any");
    if (status == MUSTER_OK)
        *index = found;
    return status;
}

muster_status muster_test(muster_request *request, bool *done)
{
    mst_wait_set set = { .requests = request, .count = 1 };
    const muster_request *pending;
    bool over;

    if (!request || !request->group)
        return mst_named("test", refuse_empty());
    muster_status status = mst_check_place(done, "answer");
    if (status == MUSTER_OK)
        status = enter_all(&set, &pending);
    if (status != MUSTER_OK)
        return mst_named("test", status);
    status = request->group->backend->test(request->group, request->number, &over);
    if (over)
        mst_request_over(request);
    if (over && status == MUSTER_OK)
        status = check_functions(&set);
    if (status == MUSTER_OK)
        *done = over;
    leave_all(&set);
    return mst_named("test", status);
}
