/*
 * What every call on a group begins and ends with: the checks that the group is this process's, and that only
 * one thread is in each call class; or, in calls of messages of a group with threads_multiple, that no other
 * thread must be alone there.
 */
#ifndef MST_ENTER_H
#define MST_ENTER_H

#include "src/backend.h"

/* INVALID for NULL, FORKED in a forked child of the rank. */
muster_status mst_check_group(const muster_group *group);

/* The sentence of who may not enter. */
muster_status mst_refuse_entry(const muster_group *group, muster_call_class class) __attribute__((cold));

/* The same, and enters the class: BUSY while another thread is in it. */
static inline muster_status mst_enter(muster_group *group, muster_call_class class)
{
    if (group && *group->here && mst_cmpxchg64_sc(&group->occupied[class], 0, 1) == 0)
        return MUSTER_OK;
    return mst_refuse_entry(group, class);
}

static inline void mst_leave(muster_group *group, muster_call_class class)
{
    mst_store64_rel(&group->occupied[class], 0);
}

/* The same for the classes of messages, where in a group with threads_multiple several threads may be. */
muster_status mst_enter_messages_beside(muster_group *group, muster_call_class class);

static inline muster_status mst_enter_messages(muster_group *group, muster_call_class class)
{
    if (group && *group->here &&
        mst_cmpxchg64_sc(&group->occupied[class], 0, group->threads_multiple ? MST_ONE_OF_SEVERAL : 1) == 0)
        return MUSTER_OK;
    return mst_enter_messages_beside(group, class);
}

static inline void mst_leave_messages(muster_group *group, muster_call_class class)
{
    if (group->threads_multiple)
        mst_add64_sc(&group->occupied[class], (uint64_t)-MST_ONE_OF_SEVERAL);
    else
        mst_leave(group, class);
}

static inline bool mst_serves_several(const muster_group *group, muster_call_class class)
{
    return group->threads_multiple && (class == MUSTER_CALL_SEND || class == MUSTER_CALL_RECEIVE);
}

/* Adds to an error's parts the name of the call, and the group, if that is not there; and, if memory is full
 * and it is not said whose, that it is this rank's. */
muster_status mst_failed(const muster_group *group, const char *name, muster_status status)
    __attribute__((cold));

/* Leaving at the end of a call. */
muster_status mst_end(muster_group *group, muster_call_class class, const char *name, muster_status status);
static inline muster_status mst_end_messages(muster_group *group, muster_call_class class, const char *name,
                                             muster_status status)
{
    mst_leave_messages(group, class);
    return __builtin_expect(status == MUSTER_OK, true) ? status : mst_failed(group, name, status);
}

/* The same of a call that has not entered. */
static inline muster_status mst_named(const char *name, muster_status status)
{
    if (__builtin_expect(status != MUSTER_OK, false))
        mst_error_operation(name);
    return status;
}

/* BUSY, with its sentence. */
muster_status mst_refuse_second_thread(const muster_group *group, muster_call_class class);

/* The status for invalid arguments, whose sentence has been recorded: if the group is broken, that is
 * reported instead. */
muster_status mst_refuse(const muster_group *group, muster_status status);

/* INVALID if `place`, where the call should store its result, is NULL. */
muster_status mst_check_place(const void *place, const char *what);

#endif
