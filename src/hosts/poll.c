/*
 * Polls, for poll.h: one backend cannot sleep for what another does. So each operation is tested in turn,
 * with naps between, and where a limit has passed, its own backend finds out who is missing.
 */
#include "src/hosts/poll.h"

#include "src/wire/pause.h"

typedef struct poll {
    muster_request *requests;
    size_t count;
    int64_t timeout_ns;
    size_t *index;
    mst_wire_pause pause;
} poll;

static bool are_of_one_backend(const muster_request *requests, size_t count)
{
    const mst_backend *backend = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!requests[i].group)
            continue;
        if (backend && requests[i].group->backend != backend)
            return false;
        backend = requests[i].group->backend;
    }
    return true;
}

/* Tests each, or until one is over. *over: one is, and no longer pending; *pending: another one is. */
static muster_status look(poll *poll, bool all, bool *over, bool *pending)
{
    *over = *pending = false;
    for (size_t i = 0; i < poll->count; i++) {
        muster_status status = MUSTER_OK;
        bool done = false;

        if (!poll->requests[i].group)
            continue;
        if (all || !*over)
            status = muster_test(&poll->requests[i], &done);
        if (status == MUSTER_ERR_BUSY && poll->requests[i].group)
            status = MUSTER_OK;
        if (status != MUSTER_OK || !poll->requests[i].group) {
            *poll->index = i;
            *over = true;
        }
        if (status != MUSTER_OK)
            return status;
        *pending |= poll->requests[i].group != NULL;
    }
    return MUSTER_OK;
}

static int64_t limit_of(const poll *poll, const muster_request *request)
{
    return poll->timeout_ns ? poll->timeout_ns : mst_started_limit_ns(request->group);
}

/* The first whose limit has passed is waited for by its backend, which fails, unless it is over just then:
 * *over. */
static muster_status look_at_limits(poll *poll, bool *over)
{
    *over = false;
    for (size_t i = 0; i < poll->count; i++) {
        muster_request *request = &poll->requests[i];

        if (!request->group)
            continue;
        if (!mst_wire_pause_is_late(&poll->pause, limit_of(poll, request)))
            continue;
        *poll->index = i;
        muster_status status = muster_wait(request, 1);
        *over = status == MUSTER_OK;
        return status;
    }
    return MUSTER_OK;
}

/* Once for each group. One that is to stop is aborted, unless its function has broken it. */
static void ask_each(const poll *poll)
{
    const muster_group *latest = NULL;

    for (size_t i = 0; i < poll->count; i++) {
        muster_group *group = poll->requests[i].group;

        if (!group || group == latest)
            continue;
        latest = group;
        if (group->interrupt && group->interrupt(group->interrupt_arg))
            group->backend->abort_group(group, "it was interrupted");
    }
}

static muster_status wait_mixed(poll *poll, bool all)
{
    bool over, pending, ended;

    mst_wire_pause_begin(&poll->pause);
    for (;;) {
        muster_status status = look(poll, all, &over, &pending);

        if (status != MUSTER_OK || (over && !all) || !pending)
            return status;
        status = look_at_limits(poll, &ended);
        if (status != MUSTER_OK || (ended && !all))
            return status;
        if (mst_wire_pause_once(&poll->pause, over || ended))
            ask_each(poll);
    }
}

muster_status mst_poll(muster_request *requests, size_t count, bool all, int64_t timeout_ns, size_t *index)
{
    *index = count;
    if (are_of_one_backend(requests, count))
        return all ? muster_wait_all(requests, count, timeout_ns)
                   : muster_wait_any(requests, count, timeout_ns, index);
    poll poll = { .requests = requests, .count = count, .timeout_ns = timeout_ns, .index = index };
    return wait_mixed(&poll, all);
}
