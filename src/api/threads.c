/* Several threads of a rank in one collective: how many, and what the others call. */
#include "src/api/enter.h"

static muster_status set_threads(muster_group *group, int threads)
{
    if (!group->backend->set_threads && threads > 1)
        return mst_fail(MUSTER_ERR_UNSUPPORTED,
                        "set_threads: over \"%s\" one thread of a rank does a collective; expected 1, not %d",
                        group->backend->name, threads);
    muster_status status =
        group->backend->set_threads ? group->backend->set_threads(group, threads) : MUSTER_OK;
    if (status == MUSTER_OK)
        mst_store32_rel(&group->threads, (uint32_t)threads); /* E42 */
    return status;
}

muster_status muster_group_set_threads(muster_group *group, int threads)
{
    if (threads < 1 || threads > MST_THREADS_MAX)
        return mst_named("set_threads",
                         mst_fail(MUSTER_ERR_INVALID, "set_threads: %d threads; expected 1 to %d", threads,
                                  MST_THREADS_MAX));
    muster_status status = mst_enter(group, MUSTER_CALL_COLLECTIVE);
    if (status != MUSTER_OK)
        return mst_named("set_threads", status);
    return mst_end(group, MUSTER_CALL_COLLECTIVE, "set_threads", set_threads(group, threads));
}

static muster_status refuse_number(int threads, int thread)
{
    if (threads <= 1)
        return mst_fail(MUSTER_ERR_INVALID,
                        "help: one thread of this rank does collectives of the group; call "
                        "muster_group_set_threads before the others help");
    return mst_fail(MUSTER_ERR_INVALID,
                    "help: thread %d; expected 1 to %d, since the group has %d threads here", thread,
                    threads - 1, threads);
}

muster_status muster_help(muster_group *group, int thread)
{
    muster_status status = mst_check_group(group);

    if (status != MUSTER_OK)
        return mst_named("help", status);
    int threads = (int)mst_load32_acq(&group->threads); /* E42 */
    if (thread >= 1 && thread < threads)
        return group->backend->help(group, thread);
    return mst_named("help", refuse_number(threads, thread));
}
