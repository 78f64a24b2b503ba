/* Breaking and waiting of handle.h. */
#define _GNU_SOURCE
#include "tests/backend/handle.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define TICK_NS (10 * 1000000LL)

muster_status explain(const shared_group *shared)
{
    if (shared->broken == MUSTER_OK)
        return MUSTER_OK;
    mst_fail_about(shared->about, shared->broken, "%s", shared->reason);
    mst_error_late(shared->limit_ns);
    return shared->broken;
}

/* The first reason stays. */
muster_status break_group(shared_group *shared, int about, muster_status status, const char *format, ...)
{
    va_list args;

    if (shared->broken == MUSTER_OK) {
        va_start(args, format);
        vsnprintf(shared->reason, sizeof shared->reason, format, args);
        va_end(args);
        shared->about = about;
        shared->broken = status;
        tell_all(shared);
    }
    return explain(shared);
}

/* ---- waiting ---- */

static bool is_over(const wait *wait)
{
    if (wait->rendezvous)
        return wait->rendezvous->come == wait->rendezvous->expected;
    return wait->over ? *wait->over : mst_matching_find(wait->matching, wait->peer, wait->tag) != NULL;
}

static bool is_missing(const void *arg, int rank)
{
    const wait *wait = arg;

    return wait->rendezvous ? !wait->rendezvous->postings[rank].here : rank == wait->peer;
}

static bool has_left(const shared_group *shared, int rank)
{
    return shared->left[rank] || shared->world->ended[shared->seats[rank]];
}

/* A member that is needed, and has left; the last other one, where any would do and all have; -1: none. */
static int find_lost(const handle *handle, const wait *wait)
{
    const shared_group *shared = handle->shared;
    int last = -1;

    for (int rank = 0; rank < shared->size; rank++) {
        if (is_missing(wait, rank) && has_left(shared, rank))
            return rank;
        if (rank == handle->base.rank || !wait->receives || wait->peer != MUSTER_ANY_SOURCE)
            continue;
        if (!has_left(shared, rank))
            return -1;
        last = rank;
    }
    return last;
}

static muster_status be_late(handle *handle, const wait *wait)
{
    char text[120];
    int first = 0;

    while (first < handle->shared->size && !is_missing(wait, first))
        first++;
    handle->shared->limit_ns = wait->limit_ns;
    if (wait->receives && wait->peer == MUSTER_ANY_SOURCE)
        snprintf(text, sizeof text, "any rank");
    else
        mst_ranklist(text, sizeof text, handle->shared->size, is_missing, wait);
    return break_group(handle->shared, first < handle->shared->size ? first : -1, MUSTER_ERR_TIMED_OUT,
                       "rank %d waited %.3g s in %s for %s%s", handle->base.rank,
                       (double)wait->limit_ns / NS_PER_S, wait->doing, text,
                       wait->rendezvous ? ""
                       : wait->receives ? " to send"
                                        : " to receive");
}

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

muster_status look_at(handle *handle, const wait *wait, int64_t begun_ns, bool *over)
{
    shared_group *shared = handle->shared;

    *over = is_over(wait);
    if (*over || shared->broken != MUSTER_OK)
        return *over ? MUSTER_OK : explain(shared);
    int lost = find_lost(handle, wait);
    if (lost >= 0)
        return break_group(
            shared, lost, MUSTER_ERR_PEER_DIED,
            "rank %d left the group (freed it, or its program ends) while another rank still needed it",
            lost);
    return wait->limit_ns && now_ns() - begun_ns >= wait->limit_ns ? be_late(handle, wait) : MUSTER_OK;
}

/* Asks the program, which may do as it likes there: without the lock. */
static bool is_interrupted(handle *handle, int64_t *asked_ns)
{
    if (!handle->base.interrupt || now_ns() - *asked_ns < TICK_NS / 2)
        return false;
    unlock(handle);
    bool stop = handle->base.interrupt(handle->base.interrupt_arg);
    *asked_ns = now_ns();
    lock(handle);
    return stop;
}

/* Until something changes, or for a tick where it has to be looked whether to go on waiting. */
static void sleep_some(handle *handle, bool ticks)
{
    world *world = handle->shared->world;
    int64_t until = now_ns() + TICK_NS;
    struct timespec then = { until / NS_PER_S, until % NS_PER_S };

    handle->shared->waits[handle->base.rank]++;
    if (ticks || handle->base.interrupt)
        pthread_cond_timedwait(&world->changed, &world->lock, &then);
    else
        pthread_cond_wait(&world->changed, &world->lock);
    handle->shared->waits[handle->base.rank]--;
}

muster_status sleep_once(handle *handle, const wait *wait, int64_t *asked_ns)
{
    sleep_some(handle, wait->limit_ns > 0);
    if (!is_interrupted(handle, asked_ns) || is_over(wait))
        return MUSTER_OK;
    return break_group(handle->shared, handle->base.rank, MUSTER_ERR_ABORTED, "rank %d was interrupted in %s",
                       handle->base.rank, wait->doing);
}

muster_status in_group(const muster_group *group, muster_status status)
{
    if (status >= MUSTER_ERR_PEER_DIED && status <= MUSTER_ERR_ABORTED && mst_error_parts()->group == 0)
        mst_error_in_group(group->name, group->number);
    return status;
}

muster_status wait_for(handle *handle, const wait *wait)
{
    int64_t begun_ns = now_ns(), asked_ns = begun_ns;
    bool over;

    muster_status status = look_at(handle, wait, begun_ns, &over);
    while (status == MUSTER_OK && !over) {
        status = sleep_once(handle, wait, &asked_ns);
        if (status == MUSTER_OK)
            status = look_at(handle, wait, begun_ns, &over);
    }
    return in_group(&handle->base, status);
}

/* ---- waiting alone ---- */

bool has_gone(const shared_group *shared, int rank)
{
    return shared->left[rank] || shared->world->ended[shared->seats[rank]];
}

muster_status refuse_gone(const handle *handle, int rank, const char *doing)
{
    return in_group(&handle->base,
                    mst_fail_about(rank, MUSTER_ERR_PEER_DIED,
                                   "rank %d has freed the %s, or its program ends; rank %d needs it in %s",
                                   rank, handle->shared->entries ? "queue" : "share", handle->base.rank,
                                   doing));
}

muster_status wait_alone(handle *handle, const lone_wait *wait)
{
    int64_t limit_ns = wait->timeout_ns ? wait->timeout_ns : handle->base.timeout_ns;
    int64_t begun_ns = now_ns(), asked_ns = begun_ns;

    while (!wait->there(wait->arg)) {
        if (has_gone(handle->shared, wait->peer(wait->arg)))
            return refuse_gone(handle, wait->peer(wait->arg), wait->doing);
        if (limit_ns < 0 || (limit_ns && now_ns() - begun_ns >= limit_ns))
            return MUSTER_ERR_TIMED_OUT;
        sleep_some(handle, limit_ns > 0);
        if (is_interrupted(handle, &asked_ns) && !wait->there(wait->arg))
            return in_group(&handle->base,
                            mst_fail_about(handle->base.rank, MUSTER_ERR_ABORTED,
                                           "rank %d was interrupted in %s", handle->base.rank, wait->doing));
    }
    return MUSTER_OK;
}

void be_late_alone(const handle *handle, const lone_wait *wait)
{
    int64_t limit_ns = wait->timeout_ns ? wait->timeout_ns : handle->base.timeout_ns;

    mst_error_about(wait->peer(wait->arg), (muster_termination){ MUSTER_TERMINATION_NONE, 0 });
    mst_error_late(limit_ns > 0 ? limit_ns : 0);
    in_group(&handle->base, MUSTER_ERR_TIMED_OUT);
}

muster_status thread_status(const muster_group *group)
{
    lock(handle_of_const(group));
    muster_status status = explain(handle_of_const(group)->shared);
    unlock(handle_of_const(group));
    return in_group(group, status);
}
