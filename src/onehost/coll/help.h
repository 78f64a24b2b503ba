/*
 * Threads of a rank that help in its collectives (team.h of ../group): how many there are, and what a helper
 * does in its call.
 *
 * A helper looks for parts, and for the end of the collective that its call belongs to. Whatever ends the
 * wait of the thread that is in the collective, a deadline, a death, an abort, ends the helper's, too. It may
 * wait before that thread has come, for as long as that takes: nobody else is needed, so there is no
 * deadline. If the group breaks meanwhile, it is let out, but not while a collective is under way, which may
 * still succeed.
 */
#ifndef MST_HELP_H
#define MST_HELP_H

#include "src/onehost/group/group.h"

/* The team that does parts of a blocking call that begins; NULL: one thread does all, as where ranks
 * outnumber CPUs, on which nobody is left to help. */
static inline mst_team *mst_call_team(const mst_group *group)
{
    return mst_load32_rlx(&group->base.threads) > 1 && !group->tuning.shared ? group->team : NULL;
}

/* For the backend's table. */
muster_status mst_call_set_threads(muster_group *group, int threads);
muster_status mst_call_help(muster_group *group, int thread);
bool mst_call_is_helped(const muster_group *group);
void mst_call_ended(muster_group *group, muster_status status);

#endif
