/* Publishes activities and writes records, for showing.h. */
#include "src/onehost/group/showing.h"

#include <stdio.h>
#include <string.h>

#include "shm/base/fault.h"
#include "shm/base/plain.h"
#include "shm/port/os.h"
#include "shm/wait/recorder.h"

#define TIMED_COUNT_MIN 16384 /* elements; fewer are moved within a tick of the coarse clock */

static mst_activity *activity_of(const mst_group *group, muster_call_class class)
{
    return &group->activities[class];
}

static int64_t time_ns(const mst_group *group)
{
    return group->subarena->attachment->recorder.exact ? mst_os_now_ns() : mst_os_coarse_ns();
}

__attribute__((noinline)) int64_t mst_group_now_ns(const mst_group *group)
{
    return time_ns(group);
}

static bool is_message(muster_call_class class)
{
    return class == MUSTER_CALL_SEND || class == MUSTER_CALL_RECEIVE;
}

/* What a record says beside numbers and times. */
static inline uint64_t pack(const mst_group *group, muster_call_class class, const mst_doing *doing)
{
    mst_record_what what = { .kind = mst_doing_kind(doing),
                             .dtype = doing->dtype,
                             .op = is_message(class) ? 0 : doing->op,
                             .call_class = class,
                             .exact = group->subarena->attachment->recorder.exact,
                             .started = (class == MUSTER_CALL_COLLECTIVE && group->finishing) ||
                                        (doing->kind & MST_DOING_STARTED) != 0,
                             .peer = doing->peer };

    return group->recorded | mst_record_pack(&what);
}

/* Reading a clock costs as much as all the rest, so an operation that takes less than a tick of the coarse
 * clock is recorded as done when all had arrived. */
static inline __attribute__((always_inline)) void record_packed(mst_group *group, muster_call_class class,
                                                                const mst_doing *doing, uint64_t what,
                                                                int64_t entered_ns, int64_t arrived_ns)
{
    const mst_recorder *recorder = &group->subarena->attachment->recorder;
    int64_t done_ns = arrived_ns;

    if (__builtin_expect(recorder->exact || arrived_ns == 0 || doing->count >= TIMED_COUNT_MIN, false))
        done_ns = mst_group_now_ns(group);
    mst_operation operation = { .what = what,
                                .number = is_message(class)
                                              ? mst_record_pack_message(doing->operation, doing->op)
                                              : doing->operation,
                                .group = group->cell->group,
                                .count = doing->count,
                                .entered_ns = entered_ns,
                                .arrived_ns = arrived_ns,
                                .done_ns = done_ns > arrived_ns ? done_ns : arrived_ns };
    mst_recorder_note(recorder, &group->places[class], &operation);
}

/* A record has no room for the size of an element: of MUSTER_BYTES it has the number of bytes. */
static __attribute__((noinline)) void record(mst_group *group, muster_call_class class,
                                             const mst_doing *doing, int64_t entered_ns, int64_t arrived_ns)
{
    mst_doing recorded = *doing;

    if (!group->recorded)
        return;
    if (doing->dtype >= MUSTER_DTYPE_COUNT) {
        recorded.count *= muster_dtype_size((muster_dtype)doing->dtype);
        recorded.dtype = MST_RECORD_BYTES;
    }
    record_packed(group, class, &recorded, pack(group, class, &recorded), entered_ns, arrived_ns);
}

void mst_group_shown(mst_group *group, muster_call_class class)
{
    mst_activity *activity = activity_of(group, class);

    if (!mst_activity_end(activity) || group->arrived_ns[class] == MST_UNRECORDED)
        return;
    if (class == MUSTER_CALL_COLLECTIVE && group->repeats)
        record_packed(group, MUSTER_CALL_COLLECTIVE, &activity->doing, group->repeats, activity->entered_ns,
                      group->arrived_ns[class]);
    else
        record(group, class, &activity->doing, activity->entered_ns, group->arrived_ns[class]);
}

void mst_group_show(mst_group *group, muster_call_class class, uint64_t latest, const mst_doing *doing)
{
    group->arrived_ns[class] = 0;
    if (class == MUSTER_CALL_COLLECTIVE) {
        group->finishing = false;
        group->repeats = 0;
    }
    mst_activity_begin(activity_of(group, class), latest, doing, time_ns(group));
}

void mst_group_show_repeatable(mst_group *group, const mst_doing *doing)
{
    mst_group_show(group, MUSTER_CALL_COLLECTIVE, group->operation, doing);
    group->repeats = group->recorded ? pack(group, MUSTER_CALL_COLLECTIVE, doing) : 0;
}

void mst_group_show_repeated(mst_group *group, uint64_t operation)
{
    group->arrived_ns[MUSTER_CALL_COLLECTIVE] = 0;
    mst_activity_repeat(activity_of(group, MUSTER_CALL_COLLECTIVE), operation, operation, time_ns(group));
}

bool mst_group_show_beside(mst_group *group, muster_call_class class, uint64_t latest, const mst_doing *doing)
{
    if (mst_activity_is_on(activity_of(group, class)))
        return false;
    mst_group_show(group, class, latest, doing);
    return true;
}

void mst_group_awaits(const mst_group *group, muster_call_class class, int peer)
{
    activity_of(group, class)->doing.peer = peer;
}

mst_doing mst_doing_of_message(const mst_message *message, bool out, uint64_t number)
{
    int peer = out ? message->destination : message->source;

    return (mst_doing){ .kind = message->sends && message->receives ? MST_DOING_SENDRECV
                                : out                               ? MST_DOING_SEND
                                                                    : MST_DOING_RECEIVE,
                        .dtype = message->dtype,
                        .op = (uint32_t)(out ? message->send_tag : message->receive_tag),
                        .peer = peer < 0 ? -1 : peer,
                        .count = out ? message->out_count : message->in_count,
                        .operation = number };
}

/* A program's operation has its name there: then the first is shown alone. */
void mst_group_show_any(mst_group *group, muster_call_class class, const mst_shown_any *any)
{
    mst_activity *activity = activity_of(group, class);
    mst_doing doing = activity->doing;

    if (!is_message(class) && doing.op >= MUSTER_OP_COUNT)
        return;
    memcpy(activity->op_name, any, sizeof *any);
    doing.kind |= MST_DOING_ANY;
    mst_activity_begin(activity, (mst_load64_rlx(&activity->number) + 1) / 2, &doing, activity->entered_ns);
}

void mst_group_show_op(mst_group *group, const char *name)
{
    mst_activity *activity = activity_of(group, MUSTER_CALL_COLLECTIVE);

    snprintf(activity->op_name, sizeof activity->op_name, "%s", name);
}

void mst_group_arrived(mst_group *group, muster_call_class class, const mst_waiter *waiter)
{
    int64_t entered_ns = activity_of(group, class)->entered_ns;

    group->arrived_ns[class] =
        group->subarena->attachment->recorder.exact ? mst_os_now_ns() : entered_ns + waiter->waited_ns;
}

void mst_group_unrecorded(mst_group *group, muster_call_class class)
{
    group->arrived_ns[class] = MST_UNRECORDED;
}

void mst_group_record(mst_group *group, muster_call_class class, const mst_doing *doing, int64_t now_ns)
{
    if (__builtin_expect(is_message(class) && doing->dtype < MUSTER_DTYPE_COUNT && group->recorded, true))
        record_packed(group, class, doing, pack(group, class, doing), now_ns, now_ns);
    else
        record(group, class, doing, now_ns, now_ns);
}

void mst_group_show_name(const muster_group *of)
{
    mst_cell *cell = mst_group_of_const(of)->cell;
    uint64_t words[MST_NAME_WORDS];

    static_assert(sizeof words == sizeof of->name, "a name fits");
    memcpy(words, of->name, sizeof words);
    for (int i = 0; i < MST_NAME_WORDS; i++)
        mst_store64_rel(&cell->name[i], words[i]); /* E31 */
    mst_fault_point("group.named");
}

void mst_group_read_name(const mst_cell *cell, char name[MUSTER_GROUP_NAME_BYTES])
{
    uint64_t words[MST_NAME_WORDS];

    for (int i = 0; i < MST_NAME_WORDS; i++)
        words[i] = mst_load64_acq(&cell->name[i]); /* E31, of a copy */
    memcpy(name, words, sizeof words);
    name[MUSTER_GROUP_NAME_BYTES - 1] = '\0';
    mst_plain_make(name); /* it is shown on terminals */
}

void mst_group_mark_phase(const muster_group *group, const char *name)
{
    const mst_attachment *attachment = mst_group_of_const(group)->subarena->attachment;
    mst_record_what what = { .kind = MST_DOING_PHASE, .exact = true, .peer = -1, .group_size = 1 };
    mst_recorder_mark(&attachment->recorder, mst_record_pack(&what), name, mst_os_now_ns());
}
