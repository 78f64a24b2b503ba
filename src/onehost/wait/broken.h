/*
 * Broken groups: turns poison into messages, and failed waits into poison.
 *
 * When a wait fails, the reason becomes poison for all members, and poison becomes an error message. The
 * first reason stays.
 */
#ifndef MST_BROKEN_H
#define MST_BROKEN_H

#include "shm/death/terminations.h"
#include "src/onehost/group/group.h"

/* What mst_group_ready does where there is something to see, or to do. */
muster_status mst_group_look_around(mst_group *group, muster_call_class class);

static inline bool mst_group_is_unchanged(const mst_group *group, muster_call_class class)
{
    const mst_attachment *attachment = group->subarena->attachment;

    return !(attachment->kept && mst_load32_rlx(attachment->kept)) &&
           mst_termination_count(&attachment->geometry) == mst_load32_rlx(&group->terminations_seen[class]) &&
           mst_load64_acq(&group->cell->poison) == group->collectives.waiter.no_poison; /* E7 */
}

/* To be called when entering a call: looks for members that have ended since the last call of that class.
 * Returns what broke the group, with its message; MUSTER_OK if it is not broken. */
static inline muster_status mst_group_ready(mst_group *group, muster_call_class class)
{
    return mst_group_is_unchanged(group, class) ? MUSTER_OK : mst_group_look_around(group, class);
}

/* The same for a call that starts an operation. A program may start many, so only one call in several looks
 * for deaths and makes progress. */
#define MST_STARTS_PER_LOOK 8
static inline muster_status mst_group_ready_to_start(mst_group *group, muster_call_class class)
{
    uint32_t starts = mst_load32_rlx(&group->starts);

    mst_store32_rlx(&group->starts, starts + 1); /* a start that another thread makes now may not count */
    if (!mst_load32_rlx(&group->wants_progress) || starts % MST_STARTS_PER_LOOK == 0)
        return mst_group_ready(group, class);
    return mst_load64_acq(&group->cell->poison) == group->collectives.waiter.no_poison /* E7 */
               ? MUSTER_OK
               : mst_group_look_around(group, class);
}

/* The same for a wait for started operations, which makes progress of its groups itself. */
muster_status mst_group_ready_to_wait(mst_group *group, muster_call_class class);

/* Returns what broke the group, with its message; MUSTER_OK if it is not broken. */
muster_status mst_group_broken(const mst_group *group);

/* To be called when memory that members have lent was read: MUSTER_OK if the group was whole until then, so
 * that no member can have got its memory back by an error, and written to it. Else what has broken it. */
muster_status mst_group_was_whole(mst_group *group);

/* Turns the result of a failed wait into a status: the poison; or, after the deadline, poisons the group.
 * `doing` is the operation, `missing` the ranks that have not arrived, `rank` the first of them. */
muster_status mst_group_wait_failed(mst_group *group, mst_wait_result result, const char *doing,
                                    const char *missing, int rank);

/* Adds the group to the thread's latest error, which is about it. */
muster_status mst_group_error(const mst_group *group, muster_status status);

/* A deadline of `limit_ns` has passed, in a wait for `rank`, -1: several. Breaks the group. */
muster_status mst_group_late(mst_group *group, int64_t limit_ns, const char *doing, const char *missing,
                             int rank);

/* The status of a wait that ended because of `interrupted`. */
muster_status mst_group_interrupted(const mst_group *group, const char *doing);

/* Breaks the group, with a message for all members, and returns what broke it: another rank may have been
 * first. */
muster_status mst_group_poison(mst_group *group, mst_poison_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for an error about a rank, which muster_last_error returns. */
muster_status mst_group_poison_about(mst_group *group, mst_poison_kind kind, int rank, const char *format,
                                     ...) __attribute__((format(printf, 4, 5)));

/* The same for two ranks that disagree: the error is about the first, and on that one about the other. */
muster_status mst_group_poison_pair(mst_group *group, int rank, int other, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same without a message: kind, rank and code say enough. */
void mst_group_spread(mst_group *group, mst_poison_kind kind, int rank, int code);

/* For the backend's table. */
muster_status mst_group_status(const muster_group *group);
bool mst_group_seems_whole(const muster_group *group);
void mst_group_abort(muster_group *group, const char *reason);

#endif
