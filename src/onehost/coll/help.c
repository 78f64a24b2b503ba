/* Opens teams, and waits as a helper, for help.h. */
#include "src/onehost/coll/help.h"

#include "src/onehost/coll/call.h"
#include "src/onehost/wait/broken.h"

/* ---- how many there are ---- */

/* Where there are more threads than CPUs a helper that spins would keep a thread from what it waits for. */
static mst_wait_policy policy_for(const mst_group *group, int threads)
{
    const mst_attachment *attachment = group->subarena->attachment;
    const mst_rank_waits *waits = &attachment->waits;
    int own = muster_cpu_count();

    if (waits->policy.spin_ns == 0 || threads > own)
        return mst_wait_policy_for(threads + 1, 1);
    return mst_wait_policy_for((int)attachment->geometry.size * threads,
                               waits->cpus > own ? waits->cpus : own);
}

muster_status mst_call_set_threads(muster_group *of, int threads)
{
    mst_group *group = mst_group_of(of);

    if (!group->team && threads > 1)
        group->team = mst_team_create();
    if (threads > 1 && !group->team)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for %d threads", threads);
    if (!group->team)
        return MUSTER_OK;
    if (!mst_team_close(group->team))
        return mst_fail(MUSTER_ERR_BUSY,
                        "a thread is in muster_help of this group: set the number of threads when none is");
    if (!mst_team_open(group->team, threads, (size_t)of->size, policy_for(group, threads)))
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for %d threads", threads);
    group->call->repeatable = false; /* it has the team of before */
    return MUSTER_OK;
}

/* ---- helping ---- */

typedef struct help {
    mst_group *group;
    mst_team *team;
    uint64_t call; /* the collective that it belongs to */
} help;

/*
 * The group is broken, and no thread is in a collective, so this one's ends as all later ones: one that has
 * not entered yet finds the poison there. Adding to `occupied` orders that: what enters the class after this
 * adds to it has seen what this has seen. The number of calls is read last: that of a call that has left is
 * there.
 */
static bool is_given_up(const help *help)
{
    mst_group *group = help->group;
    _Atomic uint64_t *occupied = &group->base.occupied[MUSTER_CALL_COLLECTIVE];

    return mst_subarena_is_broken(group->subarena) && mst_add64_sc(occupied, 0) == 0 && /* E7 */
           !mst_team_has_ended(help->team, help->call);
}

static bool has_news(const void *arg)
{
    const help *help = arg;

    return mst_team_has_ended(help->team, help->call) || mst_team_has_work(help->team) || is_given_up(help);
}

/* The thread in a collective asks itself. */
static bool ask_for_interruption(void *arg, int peer, mst_slept slept)
{
    const help *help = arg;
    mst_group *group = help->group;
    muster_interrupt_fn interrupt = group->base.interrupt;

    (void)peer;
    (void)slept;
    if (interrupt && mst_load64_rlx(&group->base.occupied[MUSTER_CALL_COLLECTIVE]) == 0 &&
        interrupt(group->base.interrupt_arg))
        mst_group_poison_about(group, MST_POISON_ABORT, group->base.rank, "rank %d was interrupted",
                               group->base.rank);
    return false;
}

/* A helper of a thread that has other work for long ticks only to see that the group is broken. */
static bool may_rest(void *arg)
{
    const help *help = arg;

    return !help->group->base.interrupt;
}

static muster_status help_with(help *help, int thread)
{
    mst_team *team = help->team;
    mst_waiter waiter = { .policy = team->waiter.policy,
                          .watch = { .tick = ask_for_interruption, .arg = help, .may_rest = may_rest } };

    while (!mst_team_has_ended(team, help->call)) {
        if (mst_team_do_part(team, thread))
            continue;
        if (is_given_up(help))
            return mst_group_broken(help->group);
        mst_wait_until(&waiter, mst_team_news(team), has_news, help, -1);
    }
    return mst_team_outcome(team, help->call);
}

muster_status mst_call_help(muster_group *of, int thread)
{
    mst_group *group = mst_group_of(of);
    help help = { .group = group, .team = group->team };

    if (!mst_team_enter(group->team, thread, &help.call)) {
        muster_status busy = mst_fail(
            MUSTER_ERR_BUSY,
            "help: another thread is in muster_help of this group as thread %d: each has its number", thread);
        mst_error_operation("help");
        return busy;
    }
    muster_status status = help_with(&help, thread);
    mst_team_leave(group->team, thread);
    return status;
}

bool mst_call_is_helped(const muster_group *of)
{
    const mst_team *team = mst_group_of_const(of)->team;
    int threads = (int)mst_load32_rlx(&of->threads);

    for (int thread = 1; thread < threads; thread++)
        if (mst_load32_acq(&team->of[thread].taken)) /* E42 */
            return true;
    return false;
}

void mst_call_ended(muster_group *group, muster_status status)
{
    mst_team_end_call(mst_group_of(group)->team, status);
}
