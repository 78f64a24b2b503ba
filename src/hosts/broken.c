/* Errors of groups over several hosts, for broken.h. */
#include "src/hosts/broken.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/hosts/describe.h"
#include "src/hosts/reason.h"
#include "src/hosts/showing.h"

#define NS_PER_S 1000000000LL
#define TICK_NS (20 * 1000000LL)

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- reasons ---- */

static muster_status explain(const mst_hosts_group *group, const mst_link_reason *reason)
{
    mst_fail(reason->status, "%s", reason->sentence);
    mst_error_about(reason->about, reason->termination);
    if (reason->pair && reason->about >= 0)
        mst_error_about_pair(reason->about, reason->pair - 1, group->base.rank);
    mst_error_late(reason->limit_ns);
    mst_error_in_group(group->base.name, group->base.number);
    return reason->status;
}

muster_status mst_hosts_known(int32_t status)
{
    return status > MUSTER_OK && status <= MUSTER_ERR_UNAVAILABLE ? (muster_status)status
                                                                  : MUSTER_ERR_BAD_ARENA;
}

void mst_hosts_print(const char *told, size_t told_bytes, char *text, size_t bytes)
{
    snprintf(text, bytes, "%.*s", (int)told_bytes, told);
    mst_plain_make(text);
}

/* Another member's words, which end up in logs and on terminals. */
static void check_reason(const mst_hosts_group *group, mst_link_reason *reason)
{
    char told[MST_LINK_SENTENCE_BYTES];

    memcpy(told, reason->sentence, sizeof told);
    mst_hosts_print(told, sizeof told, reason->sentence, sizeof reason->sentence);
    reason->status = mst_hosts_known((int32_t)reason->status);
    if (reason->about < 0 || reason->about >= group->base.size)
        reason->about = -1;
    if (reason->pair < 0 || reason->pair > group->base.size)
        reason->pair = 0;
    if (reason->limit_ns < 0)
        reason->limit_ns = 0;
    if ((unsigned)reason->termination.kind > MUSTER_TERMINATION_CRASHED)
        reason->termination = (muster_termination){ .kind = MUSTER_TERMINATION_NONE };
}

/* The same as far as the link knows. */
static muster_status broken_by_link(mst_hosts_group *group)
{
    mst_link_reason reason;

    if (!group->link->methods->is_broken(group->link, &reason))
        return MUSTER_OK;
    check_reason(group, &reason);
    if (mst_cmpxchg32_sc(&group->is_broken, 0, 1) == 0) { /* the members on this host wait for each other */
        char text[MST_REASON_TEXT_BYTES];

        mst_log_line(group->base.log, MUSTER_LOG_WARN, "a group of %d is broken: %s", group->base.size,
                     reason.sentence);
        mst_reason_print(&reason, text, sizeof text);
        group->local->backend->abort_group(group->local, text);
    }
    return explain(group, &reason);
}

static muster_status break_by(mst_hosts_group *group, const mst_link_reason *reason)
{
    group->link->methods->tell(group->link, reason);
    muster_status status = broken_by_link(group);
    return status != MUSTER_OK ? status : explain(group, reason);
}

muster_status mst_hosts_break_pair(mst_hosts_group *group, int rank, int other, const char *format, ...)
{
    mst_link_reason reason = { .status = MUSTER_ERR_MISMATCH, .about = rank, .pair = 1 + other };
    va_list args;

    va_start(args, format);
    vsnprintf(reason.sentence, sizeof reason.sentence, format, args);
    va_end(args);
    return break_by(group, &reason);
}

muster_status mst_hosts_break(mst_hosts_group *group, int about, muster_status status, const char *format,
                              ...)
{
    mst_link_reason reason = { .status = status, .about = about };
    va_list args;

    va_start(args, format);
    vsnprintf(reason.sentence, sizeof reason.sentence, format, args);
    va_end(args);
    return break_by(group, &reason);
}

/* ---- errors of the local group ---- */

/* The thread's latest error, which may be the local group's. */
static mst_link_reason reason_of(const mst_hosts_group *group, muster_status status, const char *doing)
{
    mst_link_reason reason = mst_reason_of_error(status);
    bool local = mst_error_parts()->group == group->local->number;

    /* A neighbour's word, which may be here before the link's. */
    if (local && status == MUSTER_ERR_ABORTED && mst_reason_read(mst_error_sentence(), &reason)) {
        check_reason(group, &reason);
        return reason;
    }
    if (local && reason.about >= 0 && reason.about < mst_places_here(&group->places))
        reason.about = mst_places_neighbour(&group->places, reason.about);
    if (local && reason.pair >= 1 && reason.pair <= mst_places_here(&group->places))
        reason.pair = 1 + mst_places_neighbour(&group->places, reason.pair - 1);
    if (local)
        mst_hosts_describe(group, &reason, doing, mst_error_sentence());
    return reason;
}

muster_status mst_hosts_failed(mst_hosts_group *group, muster_status status, const char *doing)
{
    mst_link_reason reason = reason_of(group, status, doing);

    muster_status broken = broken_by_link(group);
    return broken != MUSTER_OK ? broken : break_by(group, &reason);
}

/* What the link cannot see. */
static muster_status broken_here(mst_hosts_group *group)
{
    muster_status status = group->local->backend->status(group->local);
    if (status < MUSTER_ERR_PEER_DIED || status > MUSTER_ERR_BAD_ARENA)
        return MUSTER_OK;
    mst_link_reason reason = reason_of(group, status, "a call");
    return break_by(group, &reason);
}

muster_status mst_hosts_broken(mst_hosts_group *group)
{
    if (!group->link)
        return group->local->backend->status(group->local);
    muster_status status = broken_by_link(group);
    return status == MUSTER_OK && group->link->blind ? broken_here(group) : status;
}

muster_status mst_hosts_admit(mst_hosts_group *group)
{
    mst_link *link = group->link;
    const char *why = link && link->methods->seems_whole(link) ? link->methods->refusal(link) : NULL;

    if (!why || broken_here(group) != MUSTER_OK) /* the link learns it by any thread */
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_UNSUPPORTED, "%s", why);
}

muster_status mst_hosts_ready(mst_hosts_group *group)
{
    muster_status status = mst_hosts_admit(group);
    bool whole = group->link && group->link->methods->seems_whole(group->link);
    return status != MUSTER_OK || whole ? status : mst_hosts_broken(group);
}

muster_status mst_hosts_message_failed(mst_hosts_group *group, muster_status status)
{
    if (status < MUSTER_ERR_PEER_DIED || status > MUSTER_ERR_ABORTED)
        return status;
    if (!group->link) {
        mst_error_in_group(group->base.name, group->base.number);
        return status;
    }
    mst_link_reason reason = mst_reason_of_error(status);
    muster_status broken = broken_by_link(group);
    return broken != MUSTER_OK ? broken : break_by(group, &reason);
}

/* ---- watches ---- */

int64_t mst_hosts_grace_ns(int64_t limit_ns)
{
    return limit_ns / 4 + NS_PER_S / 10;
}

/* Of this thread: no other one that there is has it. */
static uint64_t own_number(void)
{
    static _Thread_local char own;

    return (uint64_t)(uintptr_t)&own;
}

void mst_hosts_watch_begin(mst_hosts_group *group, const mst_hosts_watching *wait,
                           const muster_request *requests, size_t count)
{
    mst_hosts_watch *watch = &group->watches[wait->class];

    watch->requests = requests;
    watch->peers = wait->peers;
    watch->count = count;
    if (!wait->of || watch->of != wait->of) {
        watch->limit_ns = wait->limit_ns;
        watch->deadline.limit_ns = wait->limit_ns ? wait->limit_ns + mst_hosts_grace_ns(wait->limit_ns) : 0;
        mst_deadline_begin(&watch->deadline);
        mst_deadline_resume(&watch->deadline, now_ns(), TICK_NS);
    } else if (watch->limit_ns) {
        mst_deadline_count(&watch->deadline, now_ns(), TICK_NS);
    }
    watch->of = wait->of;
    snprintf(watch->doing, sizeof watch->doing, "%s", wait->doing);
    mst_hosts_show_awaited(group, requests, wait->peers, count);
    mst_store64_rlx(&watch->thread, own_number());
}

void mst_hosts_watch_end(mst_hosts_group *group, muster_call_class class)
{
    mst_store64_rlx(&group->watches[class].thread, 0);
}

void mst_hosts_watch_anew(mst_hosts_group *group, muster_call_class class)
{
    group->watches[class].of = 0;
}

int64_t mst_hosts_watch_left_ns(const mst_hosts_group *group, muster_call_class class)
{
    const mst_hosts_watch *watch = &group->watches[class];
    int64_t left_ns = mst_deadline_left_ns(&watch->deadline) - mst_hosts_grace_ns(watch->limit_ns);

    return left_ns > NS_PER_S / 1000 ? left_ns : NS_PER_S / 1000;
}

static void be_late(mst_hosts_group *group, const mst_hosts_watch *watch)
{
    mst_link_reason reason = { .status = MUSTER_ERR_TIMED_OUT, .about = -1, .limit_ns = watch->limit_ns };
    size_t first = 0;
    char missing[MST_LINK_NAME_BYTES + sizeof "the ranks of "];
    const char *here = group->link->methods->where(group->link, group->base.rank);

    snprintf(missing, sizeof missing, "the ranks of %s", here ? here : "its host");
    while (first < watch->count && !watch->requests[first].group)
        first++;
    if (first < watch->count && watch->peers && watch->peers[first] >= 0) {
        reason.about = watch->peers[first];
        mst_link_name(group->link, reason.about, missing);
    }
    snprintf(reason.sentence, sizeof reason.sentence, "rank %d waited %.3g s in %s for %s", group->base.rank,
             (double)watch->limit_ns / NS_PER_S, watch->doing, missing);
    break_by(group, &reason);
}

static bool is_of_thread(const mst_hosts_watch *watch)
{
    return mst_load64_rlx(&watch->thread) == own_number();
}

/* Of this thread's waits; another thread counts its own. */
static void look_at_limits(mst_hosts_group *group)
{
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++) {
        mst_hosts_watch *watch = &group->watches[class];

        if (!is_of_thread(watch))
            continue;
        mst_hosts_show_awaited(group, watch->requests, watch->peers, watch->count);
        mst_deadline_count(&watch->deadline, now_ns(), TICK_NS);
        if (mst_deadline_passed(&watch->deadline))
            be_late(group, watch);
    }
}

static const char *doing_of_thread(const mst_hosts_group *group)
{
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        if (is_of_thread(&group->watches[class]))
            return group->watches[class].doing;
    return "a message";
}

/* ---- what was started ---- */

void mst_hosts_end(mst_hosts_group *group, mst_link *link, muster_request *started, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        muster_status status = MUSTER_ERR_BUSY;
        bool over;

        while (started[i].group && (status == MUSTER_ERR_BUSY || status == MUSTER_ERR_NO_MEMORY)) {
            if (status == MUSTER_ERR_NO_MEMORY && started[i].group == group->local)
                muster_test(&started[i], &over);
            else if (status == MUSTER_ERR_NO_MEMORY)
                link->methods->test(link, &started[i], &over);
            if (started[i].group)
                status = link->methods->wait(link, &started[i], 1, true, 0);
        }
    }
}

/* ---- locks ---- */

static _Thread_local int held;  /* locks that this thread has */
static _Thread_local bool owed; /* it was to look meanwhile */

void mst_hosts_lock(pthread_mutex_t *lock)
{
    pthread_mutex_lock(lock);
    held++;
}

bool mst_hosts_try_to_lock(pthread_mutex_t *lock)
{
    if (pthread_mutex_trylock(lock) != 0)
        return false;
    held++;
    return true;
}

void mst_hosts_unlock(pthread_mutex_t *lock)
{
    held--;
    pthread_mutex_unlock(lock);
}

void mst_hosts_look_if_owed(mst_hosts_group *group)
{
    if (!owed || held)
        return;
    owed = false;
    mst_hosts_look(group);
}

/* ---- looking ---- */

bool mst_hosts_look(void *arg)
{
    mst_hosts_group *group = arg;
    mst_error_copy latest;

    if (held) { /* the program's function may call muster, which may want that lock */
        owed = true;
        return false;
    }
    mst_error_keep(&latest); /* the wait may have one */
    muster_interrupt_fn interrupt = group->base.interrupt;
    if (interrupt && interrupt(group->base.interrupt_arg))
        mst_hosts_break(group, group->base.rank, MUSTER_ERR_ABORTED, "rank %d was interrupted in %s",
                        group->base.rank, doing_of_thread(group));
    else if (mst_hosts_broken(group) == MUSTER_OK)
        look_at_limits(group);
    group->world->advance_others(group);
    bool over = mst_hosts_broken(group) != MUSTER_OK;
    mst_error_again(&latest);
    return over;
}

/* ---- for the backend's table ---- */

muster_status mst_hosts_status(const muster_group *of)
{
    muster_status status = mst_hosts_broken((mst_hosts_group *)(uintptr_t)of);

    if (status != MUSTER_OK && !mst_hosts_of_const(of)->link)
        mst_error_in_group(of->name, of->number);
    return status;
}

void mst_hosts_abort(muster_group *of, const char *reason)
{
    mst_hosts_group *group = mst_hosts_of(of);

    if (!group->link)
        group->local->backend->abort_group(group->local, reason);
    else
        mst_hosts_break(group, of->rank, MUSTER_ERR_ABORTED, "rank %d aborted the group%s%s", of->rank,
                        reason ? ": " : "", reason ? reason : "");
}
