/* Waits for pending operations, and tests them, for await.h. */
#include "src/onehost/wait/await.h"

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/wait/await_ticks.h"
#include "src/onehost/wait/broken.h"
#include "src/onehost/wait/stall.h"

#define DOORBELLS_MAX (MST_OS_WATCHED_MAX - 2)
#define KNOWN 64         /* requests whose operations need not be looked for */
#define LOOKS_UNSHOWN 16 /* some microsecond: a wait that is over by then is seen by nobody */
#define TOGETHER 32      /* operations that are completed while the lock is held, at most */

typedef struct awaiting {
    mst_awaited_requests awaited;
    size_t found;         /* the request that is over, or whose group is broken, */
    mst_pending *pending; /* and its operation */
    bool exact;           /* times are to be exact */
    int64_t since_ns;     /* from when on this wait has only looked; 0: it has slept, or did not read it */
    bool failed;          /* its group is broken, */
    muster_status late;   /* and this is what this wait has said of it, if its time was over; else OK */
    mst_waiter waiter;
    mst_parking doorbells[DOORBELLS_MAX]; /* of all groups but the first */
    mst_pending *known[KNOWN];            /* of the first requests, while they are pending */
} awaiting;

static mst_group *group_of(const muster_request *request)
{
    return mst_group_of(request->group);
}

static mst_parking doorbell_of(const mst_group *group)
{
    return mst_eventcount_parking(&group->cell->doorbell);
}

/* ---- looking ---- */

static void choose_failed(awaiting *awaiting, size_t i)
{
    awaiting->found = i;
    awaiting->pending = mst_awaited_find(&awaiting->awaited.set->requests[i]);
    awaiting->failed = true;
}

static size_t request_of(const mst_wait_set *set, const mst_group *group)
{
    size_t i = 0;

    while (i < set->count && set->requests[i].group != &group->base)
        i++;
    return i;
}

static bool progress_in(mst_group *group, void *arg)
{
    (void)arg;
    mst_pending_progress(group);
    return false;
}

/* Of a request that is pending. What this wait has taken stays where it is. */
static mst_pending *pending_of(const awaiting *awaiting, size_t i)
{
    return i < KNOWN ? awaiting->known[i] : mst_awaited_find(&awaiting->awaited.set->requests[i]);
}

/* NULL: it is not over. */
static mst_pending *find_over(const awaiting *awaiting, size_t i)
{
    mst_pending *pending = pending_of(awaiting, i);

    return pending->kind->is_over(pending) ? pending : NULL;
}

static bool find_broken(mst_group *group, void *arg)
{
    awaiting *awaiting = arg;

    if (!mst_subarena_is_broken(group->subarena))
        return false;
    const mst_wait_set *set = awaiting->awaited.set;
    size_t i = 0;
    while (i < set->count && (set->requests[i].group != &group->base || find_over(awaiting, i)))
        i++;
    if (i == set->count)
        return false; /* all of its operations have ended */
    choose_failed(awaiting, i);
    return true;
}

/* Success comes first: what all ranks have entered succeeds even if one of them has died since. */
static bool look(awaiting *awaiting)
{
    const mst_wait_set *set = awaiting->awaited.set;

    for (size_t i = awaiting->awaited.next; i < set->count; i = mst_awaited_next(set, i + 1)) {
        mst_pending *over = find_over(awaiting, i);

        if (over) {
            awaiting->found = i;
            awaiting->pending = over;
            return true;
        }
        if (set->all)
            break;
    }
    return mst_awaited_each_group(&awaiting->awaited, find_broken, awaiting);
}

static bool is_found(const void *arg)
{
    awaiting *awaiting = (struct awaiting *)(uintptr_t)arg; /* the wait passes on what it was given */

    mst_awaited_each_group(&awaiting->awaited, progress_in, NULL);
    return look(awaiting);
}

/* ---- waiting ---- */

static int64_t limit_of(const awaiting *awaiting, size_t i)
{
    const mst_wait_set *set = awaiting->awaited.set;

    return set->timeout_ns ? set->timeout_ns : pending_of(awaiting, i)->timeout_ns;
}

/* The request whose deadline is the first: of all, that of the one that is waited for. */
static size_t find_latest(const awaiting *awaiting)
{
    const mst_wait_set *set = awaiting->awaited.set;
    size_t found = awaiting->awaited.next;

    for (size_t i = found; i < set->count && !set->all && !set->timeout_ns;
         i = mst_awaited_next(set, i + 1)) {
        int64_t limit_ns = limit_of(awaiting, i), least_ns = limit_of(awaiting, found);

        if (limit_ns && (!least_ns || limit_ns < least_ns))
            found = i;
    }
    return found;
}

static muster_status tell_late(const awaiting *awaiting, size_t i)
{
    const mst_pending *pending = mst_awaited_find(&awaiting->awaited.set->requests[i]);
    char doing[120], missing[120];
    int peers[2];

    pending->kind->describe(pending, doing, sizeof doing);
    pending->kind->list_missing(pending, missing, sizeof missing);
    pending->kind->find_peers(pending, peers);
    return mst_group_late(pending->group, awaiting->waiter.deadline.limit_ns, doing, missing,
                          peers[1] < 0 ? peers[0] : -1);
}

/* Those of all groups but that of the next request, on whose doorbell the wait sleeps anyway. */
static bool list_doorbell(mst_group *group, void *arg)
{
    awaiting *awaiting = arg;
    mst_waiter *waiter = &awaiting->waiter;

    if (&group->base == awaiting->awaited.set->requests[awaiting->awaited.next].group)
        return false;
    if (waiter->more_count < DOORBELLS_MAX)
        awaiting->doorbells[waiter->more_count++] = doorbell_of(group);
    else
        waiter->naps = true; /* too many to sleep on all */
    return false;
}

/* Waits until `found` is one. Publishing an activity, and ending it, takes as long as several messages do, so
 * first it looks a few times; where ranks outnumber CPUs that only delays the one that is awaited. A look can
 * move much, so what ends in them is recorded as entered, and arrived, before them. */
static void await_one(awaiting *awaiting)
{
    const mst_wait_set *set = awaiting->awaited.set;
    mst_waiter *waiter = &awaiting->waiter;

    awaiting->awaited.alone = set->all || !mst_awaited_has_more(&awaiting->awaited);
    mst_group *group = group_of(&set->requests[awaiting->awaited.next]);
    bool over = look(awaiting), unshown = !over && !awaiting->exact && waiter->policy.spin_ns;
    if (unshown)
        awaiting->since_ns = mst_group_now_ns(group);
    for (int looks = 0; !over && unshown && looks < LOOKS_UNSHOWN; looks++)
        over = is_found(awaiting);
    if (over)
        return;
    awaiting->since_ns = waiter->waited_ns = 0;
    mst_awaited_show(&awaiting->awaited);
    waiter->more_count = 0;
    mst_awaited_each_group(&awaiting->awaited, list_doorbell, awaiting);
    size_t latest = find_latest(awaiting);
    waiter->deadline.limit_ns = limit_of(awaiting, latest);
    if (mst_wait_until(waiter, doorbell_of(group), is_found, awaiting, -1) == MST_WAIT_READY)
        return;
    awaiting->late = tell_late(awaiting, latest);
    choose_failed(awaiting, latest);
}

/* What has broken the group. */
static muster_status explain(mst_pending *pending)
{
    return mst_group_wait_failed(pending->group, MST_WAIT_POISONED, "", "", -1);
}

/* Ends the operation, with a status whose sentence is the latest error. `shown`: its activity is that of this
 * wait. `since_ns`: as in awaiting. */
static muster_status end(mst_pending *pending, muster_status status, const mst_waiter *shown,
                         int64_t since_ns)
{
    mst_group *group = pending->group;
    mst_completion completion = { .succeeded = status == MUSTER_OK, .shown = shown };

    if (status == MUSTER_OK)
        pending->kind->end(pending);
    else
        pending->kind->name_error(pending, status);
    completion.now_ns = since_ns ? since_ns : mst_group_now_ns(group);
    mst_pending_lock(group);
    pending->kind->complete(pending, &completion);
    mst_pending_unlock(group);
    return status;
}

/* The requests of broken groups after the first that has failed. */
static void end_broken(mst_wait_set *set)
{
    for (size_t i = mst_awaited_next(set, 0); i < set->count; i = mst_awaited_next(set, i + 1)) {
        mst_group *group = group_of(&set->requests[i]);

        if (!mst_subarena_is_broken(group->subarena))
            continue;
        mst_pending *pending = mst_awaited_find(&set->requests[i]);
        mst_pending_lock(group);
        pending->kind->complete(pending, &(mst_completion){ .succeeded = false });
        mst_pending_unlock(group);
        mst_request_over(&set->requests[i]);
    }
}

/* Of a wait for all: completes the operations that are over, one behind the other from the next request on,
 * as far as they are of one group: the lock is taken once for all of them. */
static void complete_next(awaiting *awaiting)
{
    const mst_wait_set *set = awaiting->awaited.set;
    mst_pending *over[TOGETHER];
    size_t places[TOGETHER], count = 0;

    for (size_t i = mst_awaited_next(set, awaiting->awaited.next); i < set->count && count < TOGETHER;
         i = mst_awaited_next(set, i + 1)) {
        mst_pending *pending = find_over(awaiting, i);

        if (!pending || (count && pending->group != over[0]->group))
            break;
        pending->kind->end(pending);
        over[count] = pending;
        places[count++] = i;
    }
    if (count == 0)
        return;
    mst_group *group = over[0]->group;
    int64_t since_ns = awaiting->since_ns;
    mst_completion completion = { .succeeded = true,
                                  .now_ns = since_ns ? since_ns : mst_group_now_ns(group) };
    mst_pending_lock(group);
    for (size_t i = 0; i < count; i++)
        over[i]->kind->complete(over[i], &completion);
    mst_pending_unlock(group);
    for (size_t i = 0; i < count; i++)
        mst_request_over(&set->requests[places[i]]);
}

static muster_status complete(awaiting *awaiting)
{
    muster_request *request = &awaiting->awaited.set->requests[awaiting->found];
    mst_pending *pending = awaiting->pending;
    const mst_pending *shown = awaiting->awaited.shown;

    if (shown && shown != pending) {
        mst_awaited_hide(shown);
        shown = NULL;
    }
    awaiting->awaited.shown = NULL;
    muster_status status = awaiting->failed ? awaiting->late : MUSTER_OK;
    if (awaiting->failed && status == MUSTER_OK)
        status = explain(pending);
    status = end(pending, status, shown ? &awaiting->waiter : NULL, awaiting->since_ns);
    mst_request_over(request);
    return status;
}

/* A group that was broken before gives no results any more. */
static bool enter_in(mst_group *group, muster_call_class class, void *arg)
{
    awaiting *awaiting = arg;

    if (mst_group_ready_to_wait(group, class) == MUSTER_OK)
        return false;
    choose_failed(awaiting, request_of(awaiting->awaited.set, group));
    return true;
}

static void begin(awaiting *awaiting)
{
    const mst_group *group = group_of(&awaiting->awaited.set->requests[awaiting->awaited.next]);
    mst_attachment *first = group->subarena->attachment;

    awaiting->exact = first->recorder.exact;
    awaiting->since_ns = awaiting->exact ? mst_group_now_ns(group) : 0;
    awaiting->waiter = mst_attachment_waiter(first);
    awaiting->waiter.watch = mst_awaited_watch(&awaiting->awaited);
    awaiting->waiter.more = awaiting->doorbells;
}

/* Releases those that the wait has taken and not completed. */
static void let_go(const mst_wait_set *set, size_t count)
{
    for (size_t i = mst_awaited_next(set, 0); i < count; i = mst_awaited_next(set, i + 1))
        mst_pending_let_go(mst_awaited_find(&set->requests[i]));
}

/* All of them are pending, none is there twice, by a copy, and no other thread has one. */
static muster_status take(awaiting *awaiting)
{
    const mst_wait_set *set = awaiting->awaited.set;
    size_t taken;

    for (size_t i = mst_awaited_next(set, 0); i < set->count; i = mst_awaited_next(set, i + taken)) {
        size_t known = i < KNOWN ? i : KNOWN;
        muster_status status = mst_pending_take_all(&set->requests[i], set->count - i, set, &taken,
                                                    awaiting->known + known, KNOWN - known);
        if (status == MUSTER_OK)
            continue;
        let_go(set, i + taken);
        return status;
    }
    return MUSTER_OK;
}

muster_status mst_pending_wait(mst_wait_set *set, size_t *index)
{
    awaiting awaiting; /* not all of its 3 KiB need be zero */

    awaiting.awaited =
        (mst_awaited_requests){ .set = set, .only = mst_awaited_only(set), .next = mst_awaited_next(set, 0) };
    awaiting.failed = false;
    awaiting.late = MUSTER_OK;
    muster_status status = take(&awaiting);
    *index = set->count;
    if (status != MUSTER_OK || awaiting.awaited.next == set->count)
        return status;
    begin(&awaiting);
    bool broken = mst_awaited_each_call(set, enter_in, &awaiting);
    mst_awaited_each_group(&awaiting.awaited, progress_in, NULL);
    do {
        if (!broken)
            await_one(&awaiting);
        *index = awaiting.found;
        if (!set->all || awaiting.failed || awaiting.awaited.shown)
            status = complete(&awaiting);
        if (set->all && status == MUSTER_OK)
            complete_next(&awaiting);
        awaiting.awaited.next = mst_awaited_next(set, awaiting.awaited.next);
    } while (set->all && status == MUSTER_OK && awaiting.awaited.next < set->count);
    if (set->all && status != MUSTER_OK)
        end_broken(set);
    if (awaiting.awaited.next < set->count)
        let_go(set, set->count);
    return status;
}

/* ---- testing ---- */

muster_status mst_pending_test(muster_group *of, uint64_t number, bool *over)
{
    mst_group *group = mst_group_of(of);
    mst_pending *pending;

    *over = false;
    muster_status status = mst_pending_take(group, number, over, &pending);
    if (status != MUSTER_OK)
        return status;
    bool failed = mst_group_ready(group, mst_started_class(number)) != MUSTER_OK;
    if (!failed) {
        mst_pending_progress(group);
        if (!pending->kind->is_over(pending))
            mst_pending_look_around(pending);
        *over = pending->kind->is_over(pending);
        failed = !*over && mst_subarena_is_broken(group->subarena);
    }
    *over = *over || failed;
    if (*over)
        return end(pending, failed ? explain(pending) : MUSTER_OK, NULL, 0);
    mst_pending_let_go(pending);
    return MUSTER_OK;
}
