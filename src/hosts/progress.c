/* The turns of progress.h. The thread waits for no lock: who has one may wait for what the thread has. */
#include "src/hosts/progress.h"

#include "src/hosts/broken.h"
#include "src/hosts/pending.h"

#define NAP_NS_MIN 10000
#define NAP_NS_SOON 1000000 /* reached in 3 ms; */
#define NAP_NS_MAX 4000000  /* and this in 0.2 s, as of a receive that stays open */

/* ---- in the thread ---- */

/* A death on this host, which the members elsewhere cannot see; by a glance. */
static void look_for_deaths(mst_hosts_group *group)
{
    const muster_group *local = group->local;

    if (!mst_load32_rlx(&group->is_broken) && !local->backend->seems_whole(local))
        mst_hosts_broken(group);
}

/* Whether it needs another turn. */
static bool look_after(mst_hosts_group *group)
{
    if (!mst_hosts_try_to_lock(&group->lock))
        return true;
    look_for_deaths(group);
    bool goes_on = mst_hosts_advance_unattended(group);
    mst_hosts_unlock(&group->lock);
    return goes_on;
}

/* Until the next turn. */
static int64_t nap_ns(mst_hosts_world *world, bool goes_on, bool moved)
{
    if (moved || !goes_on || mst_exchange32_sc(&world->called, 0))
        world->nap_ns = NAP_NS_MIN;
    else if (world->nap_ns < NAP_NS_SOON)
        world->nap_ns *= 2;
    else if (world->nap_ns < NAP_NS_MAX)
        world->nap_ns += world->nap_ns / 64;
    return goes_on ? world->nap_ns : 0;
}

static int64_t take_turn(void *arg)
{
    mst_hosts_world *world = arg;
    bool goes_on = false, moved = false;

    mst_exchange32_sc(&world->idle, 1); /* E9: before the last look */
    if (!mst_hosts_try_to_lock(&world->lock))
        return NAP_NS_MIN;
    if (world->groups) {
        mst_link *any = world->groups->link;

        any->methods->advance(any, &goes_on, &moved);
    }
    for (mst_hosts_group *at = world->groups; at; at = at->next)
        goes_on |= look_after(at);
    mst_hosts_unlock(&world->lock);
    mst_store32_rlx(&world->idle, !goes_on);
    return nap_ns(world, goes_on, moved);
}

/* ---- in the thread that attaches ---- */

muster_status mst_hosts_begin_progress(mst_hosts_world *world)
{
    world->nap_ns = NAP_NS_MIN;
    mst_store32_rlx(&world->idle, 1);
    world->has_thread = true;
    return world->whole->backend->do_besides(world->whole, take_turn, world);
}
