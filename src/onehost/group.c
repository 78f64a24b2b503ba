/* Making, entering, breaking and freeing of group.h. */
#include "src/onehost/group.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/port/os.h"
#include "shm/wait/activity.h"
#include "src/onehost/crash.h"
#include "src/pure/atomic.h"
#include "src/pure/error.h"

#define TIMED_COUNT_MIN 16384 /* elements; fewer are moved within a tick of the coarse clock */

/* ---- making and freeing ---- */

static void destroy(muster_group *group)
{
    mst_channels_destroy(&group->channels);
    free(group->records);
    free(group->sources);
    free(group->targets);
    free(group->split_records);
    free(group->started);
    free(group);
}

static mst_waiter waiter_of(muster_group *group)
{
    return (mst_waiter){ .policy = group->subarena->attachment->policy,
                         .poison = &group->subarena->cells[group->rank]->poison,
                         .no_poison = group->subarena->no_poison[group->rank],
                         .deadline = { .limit_ns = group->timeout_ns },
                         .watch = mst_group_watch(group) };
}

muster_status mst_group_create(mst_subarena *subarena, const struct mst_transport *transport,
                               const mst_kernels *kernels, int64_t timeout_ns, muster_group **created)
{
    size_t size = (size_t)subarena->size;
    muster_group *group = calloc(1, sizeof *group);

    if (group) {
        group->records = calloc(size, sizeof *group->records);
        group->sources = calloc(size, sizeof *group->sources);
        group->targets = calloc(size + 1, sizeof *group->targets);
        group->split_records = calloc(size, sizeof *group->split_records);
    }
    if (!group || !group->records || !group->sources || !group->targets || !group->split_records ||
        !mst_channels_init(&group->channels, subarena, kernels->stream)) {
        if (group)
            destroy(group);
        mst_subarena_retire(subarena);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %zu", size);
    }
    group->subarena = subarena;
    group->staging.subarena = subarena;
    group->staging.crowded = subarena->attachment->policy.spin_ns == 0;
    mst_staging_begin(&group->staging);
    group->transport = transport;
    group->kernels = kernels;
    group->tuning = mst_tuning_for(subarena->size, subarena->attachment->policy.spin_ns == 0);
    mst_group_plan_routes(group);
    group->rank = subarena->rank;
    group->size = subarena->size;
    group->recorded = mst_record_pack(&(mst_record_what){
        .peer = -1, .group_rank = (uint32_t)group->rank, .group_size = (uint32_t)group->size });
    group->timeout_ns = timeout_ns;
    group->send_waiter = group->receive_waiter = waiter_of(group);
    mst_lane_init(&group->steps, subarena, MST_LANE_STEPS, timeout_ns, mst_group_watch(group));
    mst_lane_init(&group->splits, subarena, MST_LANE_SPLITS, timeout_ns, mst_group_watch(group));
    *created = group;
    return MUSTER_OK;
}

void mst_group_plan_routes(muster_group *group)
{
    mst_route_plan plan = { group->tuning.around_bytes_min, group->tuning.around_fixed,
                            group->tuning.around_dearer };

    mst_route_init(&group->staging_route, plan, MST_ROUTE_FOR_READER);
    mst_route_init(&group->arena_route, plan, MST_ROUTE_FOR_WRITER);
    group->channels.plan = plan;
}

muster_status muster_group_free(muster_group *group)
{
    if (!group)
        return MUSTER_OK;
    if (mst_attachment_forked(group->subarena->attachment))
        return mst_fail(MUSTER_ERR_FORKED, "a group belongs to the process that made it, not to its forks");
    for (int entrance = 0; entrance < MST_ENTRANCES; entrance++)
        if (mst_load32_acq(&group->occupied[entrance]))
            return mst_fail(MUSTER_ERR_BUSY, "another thread is inside the group; free it when that is done");
    if (group->started_count)
        return mst_fail(
            MUSTER_ERR_BUSY,
            "%d operation%s of the group started and not finished; call muster_finish on each, then "
            "free it",
            group->started_count, group->started_count == 1 ? " is" : "s are");
    if (group->released && !group->released(group))
        return MUSTER_OK;
    mst_log_line(mst_group_log(group), MUSTER_LOG_INFO, "gives a group of %d back, in which it was rank %d",
                 group->size, group->rank);
    mst_subarena_retire(group->subarena);
    destroy(group);
    return MUSTER_OK;
}

uint64_t mst_group_heap_offset(const muster_group *group, const void *buffer, size_t bytes)
{
    const mst_attachment *attachment = group->subarena->attachment;
    uint64_t offset = mst_layout_own_offset(&attachment->geometry, attachment->seat, buffer);

    if (offset == 0)
        return 0;
    return mst_layout_heap_at(&attachment->geometry, attachment->seat, offset, bytes) ? offset : 0;
}

int muster_group_rank(const muster_group *group)
{
    return group ? group->rank : -1;
}

int muster_group_size(const muster_group *group)
{
    return group ? group->size : 0;
}

int muster_group_translate(const muster_group *group, int rank, const muster_group *other)
{
    if (!group || !other || rank < 0 || rank >= group->size)
        return -1;
    const mst_subarena *here = group->subarena, *there = other->subarena;
    if (here->attachment != there->attachment)
        return -1;
    for (int at = 0; at < other->size; at++)
        if (there->shares[at].seat == here->shares[rank].seat)
            return at;
    return -1;
}

/* ---- entering ---- */

static muster_status refuse_second_thread(void)
{
    return mst_fail(MUSTER_ERR_BUSY, "another thread is in a call of this group; a group serves one thread "
                                     "at a time: wait for it, or split a group for each thread");
}

muster_status mst_group_occupy(muster_group *group, mst_entrance entrance)
{
    if (!group)
        return mst_fail(MUSTER_ERR_INVALID, "the group is NULL; expected one from muster_init, muster_attach "
                                            "or muster_group_split");
    if (mst_attachment_forked(group->subarena->attachment))
        return mst_fail(MUSTER_ERR_FORKED, "this process was forked by a rank and is none itself; only the "
                                           "rank may use its groups");
    return mst_cmpxchg32_sc(&group->occupied[entrance], 0, 1) == 0 ? MUSTER_OK : refuse_second_thread();
}

static mst_activity *activity_of(const muster_group *group, mst_entrance entrance)
{
    return &group->subarena->cells[group->rank]->activities[entrance];
}

/* The first that this rank hears of it; the sentence is the thread's last error. */
static muster_status tell_broken(muster_group *group, muster_status status)
{
    if (status != MUSTER_OK && mst_log_wanted(mst_group_log(group), MUSTER_LOG_WARN) &&
        mst_cmpxchg32_sc(&group->told_broken, 0, 1) == 0)
        mst_log_line(mst_group_log(group), MUSTER_LOG_WARN, "a group of %d is broken: %s", group->size,
                     mst_error_sentence());
    return status;
}

static int64_t time_ns(const muster_group *group)
{
    return group->subarena->attachment->recorder.exact ? mst_os_now_ns() : mst_os_coarse_ns();
}

/* Reading a clock costs as much as all the rest, so what is over in less than a tick of the coarse one ends
 * when all had come. */
static void record(muster_group *group, mst_entrance entrance, const mst_doing *doing, int64_t entered_ns)
{
    if (group->arrived_ns[entrance] == MST_UNRECORDED)
        return;

    const mst_recorder *recorder = &group->subarena->attachment->recorder;
    mst_record_what what = { .kind = doing->kind,
                             .dtype = doing->dtype,
                             .op = doing->op,
                             .entrance = entrance,
                             .exact = recorder->exact,
                             .started = entrance == MST_ENTER_COLLECTIVE && group->finishing,
                             .peer = doing->peer };
    int64_t arrived_ns = group->arrived_ns[entrance], done_ns = arrived_ns;

    if (recorder->exact || arrived_ns == 0 || doing->count >= TIMED_COUNT_MIN)
        done_ns = time_ns(group);
    mst_operation operation = { .what = group->recorded | mst_record_pack(&what),
                                .number = doing->operation,
                                .group = group->subarena->cells[group->rank]->group,
                                .count = doing->count,
                                .entered_ns = entered_ns,
                                .arrived_ns = arrived_ns,
                                .done_ns = done_ns > arrived_ns ? done_ns : arrived_ns };
    mst_recorder_note(recorder, &group->places[entrance], &operation);
}

muster_status mst_group_enter(muster_group *group, mst_entrance entrance)
{
    muster_status status = mst_group_occupy(group, entrance);

    if (status != MUSTER_OK)
        return status;
    uint32_t endings = mst_liveness_count(&group->subarena->attachment->geometry);
    if (endings != group->endings_seen[entrance]) {
        group->endings_seen[entrance] = endings;
        mst_subarena_look_at_endings(group->subarena);
    }
    status = tell_broken(group, mst_group_broken(group));
    if (status != MUSTER_OK)
        mst_group_leave(group, entrance);
    return status;
}

void mst_group_leave(muster_group *group, mst_entrance entrance)
{
    mst_activity *activity = activity_of(group, entrance);

    if (mst_activity_end(activity))
        record(group, entrance, &activity->doing, activity->entered_ns);
    mst_store32_rel(&group->occupied[entrance], 0);
}

void mst_group_show(muster_group *group, mst_entrance entrance, uint64_t latest, const mst_doing *doing)
{
    group->arrived_ns[entrance] = 0;
    if (entrance == MST_ENTER_COLLECTIVE)
        group->finishing = false;
    mst_activity_begin(activity_of(group, entrance), latest, doing, time_ns(group));
}

void mst_group_arrived(muster_group *group, mst_entrance entrance, const mst_waiter *waiter)
{
    int64_t entered_ns = activity_of(group, entrance)->entered_ns;

    group->arrived_ns[entrance] =
        group->subarena->attachment->recorder.exact ? mst_os_now_ns() : entered_ns + waiter->waited_ns;
}

void mst_group_unrecorded(muster_group *group, mst_entrance entrance)
{
    group->arrived_ns[entrance] = MST_UNRECORDED;
}

void mst_group_record(muster_group *group, mst_entrance entrance, const mst_doing *doing)
{
    group->arrived_ns[entrance] = time_ns(group);
    record(group, entrance, doing, group->arrived_ns[entrance]);
}

/* ---- poison into sentences ---- */

static muster_status explain_death(const mst_poison *poison)
{
    switch (poison->kind) {
    case MST_POISON_SIGNALED:
        return mst_fail(MUSTER_ERR_PEER_DIED, "rank %d was killed by signal %d (%s); the group is broken",
                        poison->rank, poison->code, strsignal(poison->code));
    case MST_POISON_EXITED:
        return mst_fail(MUSTER_ERR_PEER_DIED,
                        "rank %d exited with status %d without leaving the group, which is broken now",
                        poison->rank, poison->code);
    case MST_POISON_EXECED:
        return mst_fail(MUSTER_ERR_PEER_DIED,
                        "rank %d executed another program (exec) without leaving the group, which is broken "
                        "now",
                        poison->rank);
    case MST_POISON_CRASHED:
        return mst_fail(MUSTER_ERR_PEER_DIED,
                        "rank %d crashed and is writing its core file; the group is broken", poison->rank);
    case MST_POISON_LEFT:
        return mst_fail(MUSTER_ERR_PEER_DIED,
                        poison->code
                            ? "rank %d left the group (its program ended) while another rank still needed it"
                            : "rank %d left the group (freed it, or its program ends) while another rank "
                              "still needed it",
                        poison->rank);
    case MST_POISON_REGROUPS:
        return mst_fail(
            MUSTER_ERR_PEER_DIED,
            "rank %d has gone to shrink the group, or to grow it, while another rank still needed "
            "it; call the same, and go on in the new group",
            poison->rank);
    case MST_POISON_LAUNCHER:
        return mst_fail(MUSTER_ERR_PEER_DIED, "the launcher of these ranks is gone, and the job with it");
    default:
        return mst_fail(MUSTER_ERR_PEER_DIED,
                        "rank %d is gone (how it ended is not known); the group is broken", poison->rank);
    }
}

/* A peer's sentence: its length is read once and bounded, and nothing in it is trusted as a format. */
static muster_status explain_report(const muster_group *group, const mst_poison *poison)
{
    muster_status status = mst_poison_status(poison);
    char text[MST_REASON_BYTES + 1] = "";

    if (poison->rank < group->size) {
        const mst_cell *cell = group->subarena->cells[poison->rank];
        uint32_t bytes = cell->reason_bytes;

        memcpy(text, cell->reason, bytes < MST_REASON_BYTES ? bytes : MST_REASON_BYTES);
    }
    return mst_fail(status, "%s", text[0] ? text : muster_status_string(status));
}

muster_status mst_group_broken(const muster_group *group)
{
    uint64_t word = mst_load64_acq(&group->subarena->cells[group->rank]->poison); /* E7 */
    uint64_t none = group->subarena->no_poison[group->rank];

    if (word == none)
        return MUSTER_OK;
    if (!mst_poison_is_of(word, none))
        return mst_fail(MUSTER_ERR_BAD_ARENA,
                        "the word that says why the group is broken is of another group: the arena is "
                        "damaged");
    mst_poison poison = mst_poison_unpack(word);
    if (mst_poison_status(&poison) == MUSTER_ERR_PEER_DIED)
        return explain_death(&poison);
    return explain_report(group, &poison);
}

muster_status muster_group_status(const muster_group *group)
{
    if (!group)
        return mst_fail(MUSTER_ERR_INVALID, "the group is NULL");
    if (mst_attachment_forked(group->subarena->attachment))
        return mst_fail(MUSTER_ERR_FORKED, "this process was forked by a rank and is none itself");
    return mst_group_broken(group);
}

/* ---- breaking ---- */

void mst_group_spread(muster_group *group, mst_poison_kind kind, int rank, int code)
{
    mst_poison poison = { kind, rank, code };

    mst_poison_spread(group->subarena->cells, group->subarena->no_poison, group->size, &poison);
}

muster_status mst_group_poison(muster_group *group, mst_poison_kind kind, const char *format, ...)
{
    mst_cell *cell = group->subarena->cells[group->rank];
    mst_poison poison = { kind, group->rank, 0 };
    char text[MST_REASON_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (mst_cmpxchg32_sc(&group->reason_taken, 0, 1) == 0) {
        memcpy(cell->reason, text, sizeof text);
        cell->reason_bytes = (uint32_t)strlen(text); /* published by E7 */
        mst_group_spread(group, kind, group->rank, 0);
    }
    muster_status status = mst_group_broken(group);
    /* Another thread of this rank is just about to poison: its sentence is not out yet. */
    return status == MUSTER_OK ? mst_fail(mst_poison_status(&poison), "%s", text) : status;
}

muster_status muster_group_abort(muster_group *group, const char *reason)
{
    if (!group)
        return mst_fail(MUSTER_ERR_INVALID, "the group is NULL");
    if (mst_attachment_forked(group->subarena->attachment))
        return mst_fail(MUSTER_ERR_FORKED, "this process was forked by a rank and is none itself");
    mst_group_poison(group, MST_POISON_ABORT, "rank %d aborted the group%s%s", group->rank,
                     reason ? ": " : "", reason ? reason : "");
    return MUSTER_OK;
}

muster_status muster_group_set_interrupt(muster_group *group, muster_interrupt_fn fn, void *arg)
{
    if (!group)
        return mst_fail(MUSTER_ERR_INVALID, "the group is NULL");
    if (mst_attachment_forked(group->subarena->attachment))
        return mst_fail(MUSTER_ERR_FORKED, "this process was forked by a rank and is none itself");
    group->interrupt = fn;
    group->interrupt_arg = arg;
    return MUSTER_OK;
}

static void set_timeout(muster_group *group, int64_t timeout_ns)
{
    group->timeout_ns = timeout_ns;
    group->steps.waiter.deadline.limit_ns = group->splits.waiter.deadline.limit_ns = timeout_ns;
    group->send_waiter.deadline.limit_ns = group->receive_waiter.deadline.limit_ns = timeout_ns;
}

muster_status muster_group_set_timeout(muster_group *group, int64_t timeout_ns)
{
    muster_status status = MUSTER_OK;
    int taken = 0;

    if (timeout_ns < 0)
        return mst_fail(MUSTER_ERR_INVALID, "a timeout of %lld ns; expected 0 for no limit, or more",
                        (long long)timeout_ns);
    while (taken < MST_ENTRANCES && (status = mst_group_occupy(group, (mst_entrance)taken)) == MUSTER_OK)
        taken++;
    if (status == MUSTER_OK)
        set_timeout(group, timeout_ns);
    while (taken-- > 0)
        mst_store32_rel(&group->occupied[taken], 0);
    return status;
}

muster_status muster_report_crashes(muster_group *group)
{
    if (!group)
        return mst_fail(MUSTER_ERR_INVALID, "the group is NULL");
    if (mst_attachment_forked(group->subarena->attachment))
        return mst_fail(MUSTER_ERR_FORKED, "this process was forked by a rank and is none itself");
    return mst_crash_report(group->subarena->attachment);
}

muster_status mst_group_interrupted(const muster_group *group, const char *doing)
{
    if (mst_load64_rlx(&group->interrupted) == MST_ORPHANED)
        return explain_death(&(mst_poison){ .kind = MST_POISON_LAUNCHER });
    return mst_fail(MUSTER_ERR_ABORTED, "rank %d was interrupted in %s", group->rank, doing);
}

muster_status mst_group_wait_failed(muster_group *group, mst_wait_result result, const char *doing,
                                    const char *missing)
{
    muster_status status;

    if (result == MST_WAIT_POISONED) {
        status = mst_group_broken(group);
        if (status == MUSTER_OK)
            status = mst_fail(MUSTER_ERR_BAD_ARENA,
                              "the group was broken, and why is not there any more: the arena is damaged");
        return tell_broken(group, status);
    }
    return tell_broken(group, mst_group_poison(group, MST_POISON_LATE, "rank %d waited %.3g s in %s for %s",
                                               group->rank, (double)group->timeout_ns / MST_NS_PER_S, doing,
                                               missing));
}
