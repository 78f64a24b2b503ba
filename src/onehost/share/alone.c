/* The waits of alone.h: the one wait of the library, with a watch that breaks nothing. */
#include "src/onehost/share/alone.h"

#include <stdio.h>

#include "shm/base/error.h"
#include "shm/death/terminations.h"
#include "src/onehost/coll/describe.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/wait/broken.h"

/* One wait, the count of terminations that it has looked at, and that of waits which the rank had made known
 * to others before it. */
typedef struct attempt {
    mst_alone *wait;
    uint32_t terminations;
    uint64_t waits;
} attempt;

static const mst_geometry *geometry_of(const mst_alone *wait)
{
    return &wait->group->subarena->attachment->geometry;
}

static mst_deadlock *deadlock_of(const mst_alone *wait)
{
    return &wait->group->subarena->attachment->deadlock;
}

/* Also when somebody has ended since: then it is looked who. */
static bool ready(const void *arg)
{
    const attempt *attempt = arg;

    return attempt->wait->there(attempt->wait->call) ||
           mst_termination_count(geometry_of(attempt->wait)) != attempt->terminations;
}

static void describe(const void *arg, char *text, size_t bytes)
{
    const attempt *attempt = arg;

    mst_doing_name(&attempt->wait->doing, text, bytes);
}

/* Who is awaited may change during the wait: a queue's slowest reader. Observers see whom it is for now, and
 * what was made known for the search of cycles is no longer so. */
static void change_peer(mst_alone *wait, int peer)
{
    mst_activity *activity = &wait->group->cell->activities[wait->class];

    if (peer == wait->doing.peer)
        return;
    wait->doing.peer = peer;
    mst_deadlock_over(deadlock_of(wait));
    mst_activity_begin(activity, wait->doing.operation, &wait->doing, activity->entered_ns);
}

static void find_peers(const void *arg, int peers[2])
{
    const attempt *attempt = arg;

    peers[0] = attempt->wait->find_peer(attempt->wait->call);
    peers[1] = -1;
    change_peer(attempt->wait, peers[0]);
}

static void keep_cycle(const void *arg, const char *cycle)
{
    const attempt *attempt = arg;

    snprintf(attempt->wait->cycle, sizeof attempt->wait->cycle, "%s", cycle);
}

mst_waiter mst_alone_waiter(mst_group *group)
{
    mst_waiter waiter = mst_attachment_waiter(group->subarena->attachment);

    waiter.poison = &group->interrupted;
    return waiter;
}

static int64_t limit_ns(const mst_alone *wait)
{
    return wait->timeout_ns ? wait->timeout_ns : wait->group->base.timeout_ns;
}

double mst_alone_waited_s(const mst_alone *wait)
{
    return wait->timeout_ns < 0 ? 0 : (double)limit_ns(wait) / MST_NS_PER_S;
}

void mst_alone_late(const mst_alone *wait, int rank)
{
    mst_error_about(rank, (muster_termination){ MUSTER_TERMINATION_NONE, 0 });
    mst_error_late(wait->timeout_ns < 0 ? 0 : limit_ns(wait));
    mst_group_error(wait->group, MUSTER_ERR_TIMED_OUT);
}

muster_status mst_alone_refuse(const mst_alone *wait, int rank)
{
    const mst_group *group = wait->group;
    muster_termination termination =
        mst_termination_of(geometry_of(wait), group->subarena->members[rank].seat);
    bool in_queue = wait->doing.kind == MST_DOING_PUSH || wait->doing.kind == MST_DOING_POP;
    char name[MUSTER_CALL_NAME_BYTES], ended[120];

    mst_doing_name(&wait->doing, name, sizeof name);
    snprintf(ended, sizeof ended, "has freed the %s, or its program ends", in_queue ? "queue" : "share");
    if (termination.kind != MUSTER_TERMINATION_NONE &&
        (termination.kind != MUSTER_TERMINATION_EXITED || termination.code != 0))
        muster_termination_describe(termination, ended, sizeof ended);
    mst_fail(MUSTER_ERR_PEER_DIED, "rank %d %s; rank %d needs it in %s", rank, ended, group->base.rank, name);
    mst_error_about(rank, termination);
    return mst_group_error(group, MUSTER_ERR_PEER_DIED);
}

static muster_status refuse_cycle(const mst_alone *wait)
{
    return mst_group_error(wait->group, mst_fail(MUSTER_ERR_DEADLOCK, "%s", wait->cycle));
}

/* The member is gone: perhaps because it knows that it is in a cycle with this rank. */
static muster_status refuse_gone(const attempt *attempt, int peer)
{
    mst_alone *wait = attempt->wait;

    if (mst_deadlock_told(deadlock_of(wait), attempt->waits, wait->cycle, sizeof wait->cycle))
        return refuse_cycle(wait);
    return mst_alone_refuse(wait, peer);
}

/* What ended the wait; `there` was false after that. */
static muster_status explain(const attempt *attempt)
{
    const mst_alone *wait = attempt->wait;
    uint64_t why = mst_load64_rlx(&wait->group->interrupted);
    char name[MUSTER_CALL_NAME_BYTES];

    mst_doing_name(&wait->doing, name, sizeof name);
    if (why == MST_IN_CYCLE)
        return refuse_cycle(wait);
    if (why == MST_DAMAGED)
        return mst_group_broken(wait->group);
    if (why == MST_ABANDONED)
        return refuse_gone(attempt, wait->find_peer(wait->call));
    return mst_group_interrupted(wait->group, name);
}

/* Once nothing has happened at the first look. A wait that its limit ends is part of no cycle: the program
 * may do then what another rank waits for. */
static muster_status wait_long(attempt *attempt, mst_waiter *waiter)
{
    static const mst_wait_kind kinds[] = {
        { .describe = describe,
          .find_peers = find_peers,
          .may_rest = true,
          .alone = true,
          .keep_cycle = keep_cycle },
        { .describe = describe, .find_peers = find_peers, .may_rest = true, .alone = true, .open = true }
    };
    mst_alone *wait = attempt->wait;
    mst_group *group = wait->group;
    mst_eventcount *doorbell = &group->cell->doorbell;
    mst_waiting waiting = { &kinds[limit_ns(wait) > 0], group, attempt };

    waiter->deadline.limit_ns = limit_ns(wait);
    mst_deadline_begin(&waiter->deadline);
    waiter->waited_ns = 0;
    waiter->watch = mst_waiting_watch(&waiting);
    attempt->waits = deadlock_of(wait)->waits;
    for (;;) {
        attempt->terminations = mst_termination_count(geometry_of(wait));
        int peer = wait->find_peer(wait->call);
        bool gone = peer >= 0 && mst_member_is_gone(group, peer);

        if (wait->there(wait->call)) /* after `gone`: who is gone has done all it ever will */
            return MUSTER_OK;
        if (gone)
            return refuse_gone(attempt, peer);
        mst_wait_result result = mst_wait_until(waiter, mst_eventcount_parking(doorbell), ready, attempt, -1);
        if (result != MST_WAIT_READY && wait->there(wait->call))
            return MUSTER_OK;
        if (result == MST_WAIT_POISONED)
            return explain(attempt);
        if (result == MST_WAIT_TIMED_OUT)
            return MUSTER_ERR_TIMED_OUT;
    }
}

muster_status mst_alone_wait(mst_alone *wait, mst_waiter *waiter)
{
    attempt attempt = { .wait = wait };

    if (wait->there(wait->call))
        return MUSTER_OK;
    int peer = wait->find_peer(wait->call);
    if (wait->timeout_ns < 0 && (peer < 0 || !mst_member_is_gone(wait->group, peer)))
        return wait->there(wait->call) ? MUSTER_OK : MUSTER_ERR_TIMED_OUT;
    if (mst_load64_rlx(&wait->group->interrupted) != MST_ORPHANED)
        mst_store64_rlx(&wait->group->interrupted, 0);
    wait->shown = true;
    mst_group_show(wait->group, wait->class, wait->doing.operation, &wait->doing);
    return wait_long(&attempt, waiter);
}

void mst_alone_end(const mst_alone *wait, const mst_waiter *waiter, muster_status status)
{
    if (wait->shown) {
        if (status == MUSTER_OK)
            mst_group_arrived(wait->group, wait->class, waiter);
        mst_group_shown(wait->group, wait->class);
    } else if (status == MUSTER_OK) {
        mst_group_record(wait->group, wait->class, &wait->doing, mst_group_now_ns(wait->group));
    }
}
