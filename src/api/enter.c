/* Enters and leaves calls, for enter.h. */
#include "src/api/enter.h"

static muster_status refuse_null(void)
{
    return mst_fail(MUSTER_ERR_INVALID, "the group is NULL; expected one from muster_init, muster_attach "
                                        "or muster_group_split");
}

static muster_status refuse_fork(void)
{
    return mst_fail(MUSTER_ERR_FORKED, "this process was forked by a rank and is not a rank itself; only the "
                                       "rank may use its groups");
}

muster_status mst_refuse_second_thread(const muster_group *group, muster_call_class class)
{
    static const char *const calls[] = { [MUSTER_CALL_COLLECTIVE] = "collective",
                                         [MUSTER_CALL_SPLIT] = "call that makes groups, shares or queues",
                                         [MUSTER_CALL_SEND] = "call that sends",
                                         [MUSTER_CALL_RECEIVE] = "call that receives" };
    bool of_messages = class == MUSTER_CALL_SEND || class == MUSTER_CALL_RECEIVE;

    return mst_fail(MUSTER_ERR_BUSY,
                    "another thread is in a %s of this group, which serves one thread at a time in each kind "
                    "of call: wait for it, or make a group for each thread%s",
                    calls[class],
                    of_messages && !group->threads_multiple
                        ? ", or, for messages, attach with threads_multiple (MUSTER_THREADS_MULTIPLE=1)"
                        : "");
}

muster_status mst_check_group(const muster_group *group)
{
    if (!group)
        return refuse_null();
    return *group->here ? MUSTER_OK : refuse_fork();
}

muster_status mst_refuse_entry(const muster_group *group, muster_call_class class)
{
    muster_status status = mst_check_group(group);

    return status == MUSTER_OK ? mst_refuse_second_thread(group, class) : status;
}

muster_status mst_failed(const muster_group *group, const char *name, muster_status status)
{
    if (status == MUSTER_ERR_NO_SPACE && mst_error_parts()->rank < 0)
        mst_error_about(group->rank, (muster_termination){ .kind = MUSTER_TERMINATION_NONE });
    if (!mst_error_parts()->group)
        mst_error_in_group(group->name, group->number);
    mst_error_operation(name);
    return status;
}

muster_status mst_end(muster_group *group, muster_call_class class, const char *name, muster_status status)
{
    mst_leave(group, class);
    return status == MUSTER_OK ? status : mst_failed(group, name, status);
}

/* ---- messages ---- */

/* Others may be inside, unless one of them must be alone there, as one that changes the group's settings. */
static muster_status enter_beside(muster_group *group, muster_call_class class)
{
    uint64_t inside = mst_load64_rlx(&group->occupied[class]), seen;

    while (!(inside & 1)) {
        seen = mst_cmpxchg64_sc(&group->occupied[class], inside, inside + MST_ONE_OF_SEVERAL);
        if (seen == inside)
            return MUSTER_OK;
        inside = seen;
    }
    return mst_refuse_second_thread(group, class);
}

muster_status mst_enter_messages_beside(muster_group *group, muster_call_class class)
{
    muster_status status = mst_check_group(group);

    if (status != MUSTER_OK)
        return status;
    return group->threads_multiple ? enter_beside(group, class) : mst_refuse_second_thread(group, class);
}

/* ---- refusing ---- */

muster_status mst_refuse(const muster_group *group, muster_status status)
{
    muster_status broken = group->backend->status(group);

    if (broken != MUSTER_OK)
        return broken;
    mst_error_in_group(group->name, group->number);
    return status;
}

muster_status mst_check_place(const void *place, const char *what)
{
    if (place)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID, "the last argument, where the %s is returned, is NULL", what);
}
