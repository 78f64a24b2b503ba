/*
 * Started operations of the backend of threads, and waiting for them. A rank keeps a list of its own. It
 * computes when it is asked for the result, and nobody needs it for that: others have a copy of its input.
 */
#include <stdlib.h>

#include "tests/backend/handle.h"

/* With the lock, as all that looks at the list. */
static started *find(const muster_group *group, uint64_t number)
{
    started *at = handle_of_const(group)->first;

    while (at && at->number != number)
        at = at->next;
    return at;
}

static void forget(handle *handle, started *over)
{
    started **at = &handle->first, *before = NULL;

    for (; *at != over; at = &(*at)->next)
        before = *at;
    *at = over->next;
    if (handle->last == over)
        handle->last = before;
    free(over);
}

static uint64_t append(handle *handle, started *made, muster_call_class class)
{
    made->number = mst_started_number(++handle->starts, class);
    *(handle->last ? &handle->last->next : &handle->first) = made;
    handle->last = made;
    return made->number;
}

muster_status thread_start(muster_group *group, const mst_request *request, uint64_t *number)
{
    handle *handle = handle_of(group);
    started *made = calloc(1, sizeof *made);

    if (!made)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a started operation");
    muster_status status = collective_come(handle, request, &made->rendezvous);
    if (status != MUSTER_OK) {
        free(made);
        return status;
    }
    lock(handle);
    *number = append(handle, made, MUSTER_CALL_COLLECTIVE);
    unlock(handle);
    return MUSTER_OK;
}

muster_status thread_start_message(muster_group *group, muster_call_class call_class,
                                   const mst_message *message, uint64_t *number)
{
    handle *handle = handle_of(group);
    started *made = calloc(1, sizeof *made);

    if (!made)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a started message");
    made->message = *message;
    made->limit_ns = group->timeout_ns;
    lock(handle);
    muster_status status = message_begin(handle, made);
    if (status == MUSTER_OK)
        *number = append(handle, made, call_class);
    unlock(handle);
    if (status != MUSTER_OK)
        free(made);
    return status;
}

/* ---- waiting ---- */

static wait wait_of(const muster_group *group, const started *started, int64_t timeout_ns, char *doing,
                    size_t bytes)
{
    if (!started->rendezvous) {
        wait waited = message_wait(started, doing, bytes);

        waited.limit_ns = timeout_ns ? timeout_ns : waited.limit_ns;
        return waited;
    }
    const posting *own = &started->rendezvous->postings[group->rank];
    collective_describe(started->rendezvous, group->rank, doing, bytes);
    return (wait){ .doing = doing,
                   .rendezvous = started->rendezvous,
                   .limit_ns = timeout_ns ? timeout_ns : own->limit_ns };
}

/* Ends it: `status` is why waiting for it ended. */
static muster_status complete(muster_group *group, started *started, muster_status status)
{
    rendezvous *rendezvous = started->rendezvous;

    lock(handle_of(group));
    if (!rendezvous)
        message_drop(handle_of(group), started);
    forget(handle_of(group), started);
    unlock(handle_of(group));
    if (status == MUSTER_OK && rendezvous)
        status = collective_complete(handle_of(group), rendezvous);
    return in_group(group, status);
}

/* Takes it for one wait or test, with the lock. */
static muster_status take(const muster_group *group, uint64_t number, const void *taker, started **found)
{
    started *at = *found = find(group, number);

    if (!at)
        return mst_fail(MUSTER_ERR_INVALID,
                        "the request is not pending: its operation has been completed already");
    if (at->taken == taker)
        return mst_fail(MUSTER_ERR_INVALID, "the same operation is twice among the requests; give each once");
    if (at->taken)
        return mst_fail(MUSTER_ERR_BUSY, "another thread waits for this operation, or tests it");
    at->taken = taker;
    return MUSTER_OK;
}

muster_status thread_cancel(muster_group *group, uint64_t number, bool *over)
{
    handle *handle = handle_of(group);
    started *started;

    *over = false;
    lock(handle);
    muster_status status = take(group, number, over, &started);
    if (status != MUSTER_OK) {
        unlock(handle);
        return status;
    }
    status = explain(handle->shared);
    if (status == MUSTER_OK && !started->rendezvous && started->message.receives &&
        !started->receipt.matched) {
        message_drop(handle, started);
        forget(handle, started);
        *over = true;
    } else if (status == MUSTER_OK) {
        started->taken = NULL;
    }
    unlock(handle);
    if (status == MUSTER_OK)
        return status;
    *over = true;
    return complete(group, started, status);
}

muster_status thread_test(muster_group *group, uint64_t number, bool *over)
{
    started *started;
    char doing[140];
    bool ready = false;

    *over = false;
    lock(handle_of(group));
    muster_status status = take(group, number, over, &started);
    if (status != MUSTER_OK) {
        unlock(handle_of(group));
        return status;
    }
    wait waited = wait_of(group, started, 0, doing, sizeof doing);
    waited.limit_ns = 0;
    status = explain(handle_of(group)->shared); /* before anything else */
    if (status == MUSTER_OK)
        status = look_at(handle_of(group), &waited, 0, &ready);
    if (!ready && status == MUSTER_OK)
        started->taken = NULL;
    unlock(handle_of(group));
    *over = status != MUSTER_OK || ready;
    return *over ? complete(group, started, status) : MUSTER_OK;
}

/* Looks at the requests that may be the next to end: the first pending one, or all. *index: the one that has
 * ended, or the count. *next: the last one looked at. */
static muster_status look_at_all(const mst_wait_set *set, int64_t begun_ns, size_t *index, size_t *next)
{
    char doing[140];
    bool over;

    *index = *next = set->count;
    for (size_t i = 0; i < set->count && (!set->all || *next == set->count); i++) {
        muster_group *group = set->requests[i].group;

        if (!group)
            continue;
        *next = i;
        wait waited =
            wait_of(group, find(group, set->requests[i].number), set->timeout_ns, doing, sizeof doing);
        muster_status status = look_at(handle_of(group), &waited, begun_ns, &over);
        if (over || status != MUSTER_OK) {
            *index = i;
            return status;
        }
    }
    return MUSTER_OK;
}

/* Waits for the next one that ends. */
static muster_status await_one(const mst_wait_set *set, handle *handle, int64_t begun_ns, size_t *index)
{
    int64_t asked_ns = begun_ns;
    char doing[140];
    size_t next;

    lock(handle);
    muster_status status = look_at_all(set, begun_ns, index, &next);
    while (status == MUSTER_OK && *index == set->count && next < set->count) {
        muster_group *group = set->requests[next].group;
        wait waited =
            wait_of(group, find(group, set->requests[next].number), set->timeout_ns, doing, sizeof doing);

        status = sleep_once(handle_of(group), &waited, &asked_ns);
        if (status != MUSTER_OK)
            *index = next;
        else
            status = look_at_all(set, begun_ns, index, &next);
    }
    unlock(handle);
    return status;
}

/* Each once. All requests must be pending, no other thread's, and of one world, which has one lock. *found:
 * one of their groups. */
static muster_status take_each(const mst_wait_set *set, muster_group **found, size_t *count)
{
    *found = NULL;
    for (*count = 0; *count < set->count; ++*count) {
        muster_group *group = set->requests[*count].group;
        started *unused;

        if (!group)
            continue;
        if (*found && handle_of(*found)->shared->world != handle_of(group)->shared->world)
            return mst_fail(MUSTER_ERR_UNSUPPORTED, "the requests are of two worlds of threads");
        lock(handle_of(group));
        muster_status status = take(group, set->requests[*count].number, set, &unused);
        unlock(handle_of(group));
        if (status != MUSTER_OK)
            return status;
        *found = group;
    }
    return MUSTER_OK;
}

/* Of the first `count` requests those that are still pending. */
static void let_go(const mst_wait_set *set, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        muster_group *group = set->requests[i].group;

        if (!group)
            continue;
        lock(handle_of(group));
        find(group, set->requests[i].number)->taken = NULL;
        unlock(handle_of(group));
    }
}

static muster_status complete_request(muster_request *request, muster_status status)
{
    lock(handle_of(request->group));
    started *started = find(request->group, request->number);
    unlock(handle_of(request->group));
    status = complete(request->group, started, status);
    mst_request_over(request);
    return status;
}

/* After the first that has failed. */
static void end_broken(mst_wait_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        muster_group *group = set->requests[i].group;

        if (!group || thread_status(group) == MUSTER_OK)
            continue;
        complete_request(&set->requests[i], thread_status(group));
    }
}

/* Whether a group was broken before the wait: it gives no results any more. */
static bool find_broken(const mst_wait_set *set, size_t *index)
{
    size_t i = 0;

    while (i < set->count && (!set->requests[i].group || thread_status(set->requests[i].group) == MUSTER_OK))
        i++;
    if (i < set->count)
        *index = i;
    return i < set->count;
}

muster_status thread_wait(mst_wait_set *set, size_t *index)
{
    int64_t begun_ns = now_ns();
    muster_group *any;
    size_t count;

    muster_status status = take_each(set, &any, &count);
    *index = set->count;
    if (status != MUSTER_OK) {
        let_go(set, count);
        return status;
    }
    bool broken = find_broken(set, index);
    while (status == MUSTER_OK && any) {
        status = broken ? thread_status(set->requests[*index].group)
                        : await_one(set, handle_of(any), begun_ns, index);
        if (*index == set->count)
            break;
        status = complete_request(&set->requests[*index], status);
        if (!set->all)
            break;
        if (status != MUSTER_OK)
            end_broken(set);
    }
    let_go(set, set->count);
    return status;
}
