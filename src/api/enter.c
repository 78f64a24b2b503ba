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

muster_status mst_refuse_second_thread(void)
{
    return mst_fail(MUSTER_ERR_BUSY, "another thread is in a call of this group; a group serves one thread "
                                     "at a time: wait for it, or split a group for each thread");
}

muster_status mst_check_group(const muster_group *group)
{
    if (!group)
        return refuse_null();
    return *group->here ? MUSTER_OK : refuse_fork();
}

muster_status mst_enter(muster_group *group, muster_call_class class)
{
    muster_status status = mst_check_group(group);

    if (status != MUSTER_OK)
        return status;
    return mst_cmpxchg64_sc(&group->occupied[class], 0, 1) == 0 ? MUSTER_OK : mst_refuse_second_thread();
}

void mst_leave(muster_group *group, muster_call_class class)
{
    mst_store64_rel(&group->occupied[class], 0);
}

muster_status mst_end(muster_group *group, muster_call_class class, const char *name, muster_status status)
{
    mst_leave(group, class);
    if (status != MUSTER_OK)
        mst_error_operation(name);
    return status;
}

muster_status mst_refuse(const muster_group *group, muster_status status)
{
    muster_status broken = group->backend->status(group);

    return broken != MUSTER_OK ? broken : status;
}

muster_status mst_check_place(const void *place, const char *what)
{
    if (place)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID, "the last argument, where the %s is returned, is NULL", what);
}
