/* Ticks of waits for pending operations, and of tests, for await_ticks.h. */
#include "src/onehost/wait/await_ticks.h"

#include <stdio.h>

#include "shm/base/atomic.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/wait/stall.h"

#define TEST_LOOKS_AFTER_NS (20 * MST_NS_PER_MS)

/* ---- what is waited for ---- */

mst_pending *mst_awaited_find(const muster_request *request)
{
    return mst_pending_find(mst_group_of(request->group), request->number);
}

size_t mst_awaited_next(const mst_wait_set *set, size_t from)
{
    while (from < set->count && !set->requests[from].group)
        from++;
    return from;
}

bool mst_awaited_has_more(const mst_awaited_requests *awaited)
{
    return mst_awaited_next(awaited->set, awaited->next + 1) < awaited->set->count;
}

static bool is_listed(const mst_waited *first, const muster_group *group)
{
    while (first && first->group != group)
        first = first->next;
    return first != NULL;
}

/* Whether this thread is in a call of the group of an earlier class, too. */
static bool was_visited(const mst_wait_set *set, const muster_group *group, int class)
{
    for (int earlier = 0; earlier < class; earlier++)
        if (group->threads_multiple ? is_listed(set->groups[earlier], group)
                                    : mst_load64_rlx(&group->occupied[earlier]) == (uint64_t)(uintptr_t)set)
            return true;
    return false;
}

mst_group *mst_awaited_only(const mst_wait_set *set)
{
    muster_group *only = NULL;

    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++) {
        const mst_waited *waited = set->groups[class];

        if (waited && (waited->next || (only && only != waited->group)))
            return NULL;
        only = waited ? waited->group : only;
    }
    return only ? mst_group_of(only) : NULL;
}

bool mst_awaited_each_group(const mst_awaited_requests *awaited, bool (*fn)(mst_group *group, void *arg),
                            void *arg)
{
    const mst_wait_set *set = awaited->set;

    if (awaited->only)
        return fn(awaited->only, arg);
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        for (const mst_waited *waited = set->groups[class]; waited; waited = waited->next)
            if (!was_visited(set, waited->group, class) && fn(mst_group_of(waited->group), arg))
                return true;
    return false;
}

bool mst_awaited_each_call(const mst_wait_set *set,
                           bool (*fn)(mst_group *group, muster_call_class class, void *arg), void *arg)
{
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        for (const mst_waited *waited = set->groups[class]; waited; waited = waited->next)
            if (fn(mst_group_of(waited->group), (muster_call_class) class, arg))
                return true;
    return false;
}

/* ---- its activity ---- */

static void describe(const void *arg, char *text, size_t bytes)
{
    const mst_pending *pending = arg;

    pending->kind->describe(pending, text, bytes);
}

static void find_peers(const void *arg, int peers[2])
{
    const mst_pending *pending = arg;

    peers[0] = peers[1] = -1;
    if (pending)
        pending->kind->find_peers(pending, peers);
}

/* The same while they must enter a call: once they only have to go on, which they do in any call that they
 * wait in, nobody in particular is awaited. That may be so since `depends` has looked. */
static void find_missing(const void *arg, int peers[2])
{
    const mst_pending *pending = arg;

    if (!pending->kind->find_peers(pending, peers))
        peers[0] = peers[1] = -1;
}

static void look(const void *arg)
{
    const mst_pending *pending = arg;

    if (pending && pending->kind->look)
        pending->kind->look(pending);
}

/* Of the next request, and how many there are. */
static void describe_any(const void *arg, char *text, size_t bytes)
{
    const mst_awaited_requests *awaited = arg;
    size_t count = 0;
    char first[MST_DOING_BYTES];

    for (size_t i = awaited->next; i < awaited->set->count; i = mst_awaited_next(awaited->set, i + 1))
        count++;
    describe(mst_awaited_find(&awaited->set->requests[awaited->next]), first, sizeof first);
    snprintf(text, bytes, "wait_any of %zu: %s", count, first);
}

static void find_peers_of_next(const void *arg, int peers[2])
{
    const mst_awaited_requests *awaited = arg;

    find_peers(mst_awaited_find(&awaited->set->requests[awaited->next]), peers);
}

/* Whoever might end one of the operations, where each of them depends on somebody who must enter a call: of
 * ranks that one of them needs together, it is enough to look at one. */
static bool find_any(const void *arg, mst_seats *seats)
{
    const mst_awaited_requests *awaited = arg;
    const mst_wait_set *set = awaited->set;
    const mst_attachment *attachment = mst_group_of(set->requests[awaited->next].group)->subarena->attachment;

    *seats = (mst_seats){ 0 };
    for (size_t i = awaited->next; i < set->count; i = mst_awaited_next(set, i + 1)) {
        const mst_pending *pending = mst_awaited_find(&set->requests[i]);
        int peers[2];

        if (pending->group->base.carries || !pending->kind->find_peers(pending, peers) || peers[0] == -1 ||
            pending->group->subarena->attachment != attachment)
            return false;
        mst_seats_add_peer(seats, pending->group, peers[0]);
    }
    return true;
}

static void look_of_next(const void *arg)
{
    const mst_awaited_requests *awaited = arg;

    look(mst_awaited_find(&awaited->set->requests[awaited->next]));
}

/* Whether the wait is one of those that a cycle can be made of. */
static bool depends(const mst_pending *pending)
{
    int peers[2];

    return pending->kind->find_peers(pending, peers);
}

static mst_waiting waiting_in(mst_group *group, const mst_awaited_requests *awaited)
{
    static const mst_wait_kind closed = {
        .describe = describe, .find_peers = find_missing, .look = look, .may_rest = true
    };
    static const mst_wait_kind open = {
        .describe = describe, .find_peers = find_peers, .look = look, .may_rest = true, .open = true
    };
    static const mst_wait_kind any = { .describe = describe_any,
                                       .find_peers = find_peers_of_next,
                                       .find_any = find_any,
                                       .look = look_of_next,
                                       .may_rest = true };
    const muster_request *request = &awaited->set->requests[awaited->next];
    mst_pending *pending = &group->base == request->group ? mst_awaited_find(request) : NULL;

    if (awaited->set->timeout_ns > 0) /* the program may do then what another rank waits for */
        return (mst_waiting){ &open, group, pending };
    if (pending && !awaited->alone)
        return (mst_waiting){ &any, group, awaited };
    return (mst_waiting){ pending && depends(pending) ? &closed : &open, group, pending };
}

/* ---- ticks ---- */

typedef struct ticking {
    mst_awaited_requests *awaited;
    mst_slept slept;
} ticking;

static bool tick_in(mst_group *group, void *arg)
{
    const ticking *ticking = arg;
    mst_waiting waiting = waiting_in(group, ticking->awaited);
    mst_watch watch = mst_waiting_watch(&waiting);

    watch.tick(watch.arg, -1, ticking->slept);
    return false;
}

/* A member that is needed for one of the operations, and has left or gone; -1: none. */
static int find_lost(const mst_pending *pending)
{
    int peers[2];

    pending->kind->find_peers(pending, peers);
    for (int i = 0; i < 2; i++)
        if (mst_group_is_lost(pending->group, peers[i]))
            return peers[i];
    return -1;
}

static bool tick(void *arg, int peer, mst_slept slept)
{
    mst_awaited_requests *awaited = arg;
    const mst_wait_set *set = awaited->set;
    bool lost = false;

    (void)peer;
    mst_awaited_show(awaited);
    mst_awaited_each_group(awaited, tick_in, &(ticking){ awaited, slept });
    for (size_t i = awaited->next; i < set->count && !lost; i = mst_awaited_next(set, i + 1))
        lost = find_lost(mst_awaited_find(&set->requests[i])) != -1; /* MST_ANY_PEER, too */
    return lost;
}

static void lost(void *arg, int peer)
{
    const mst_awaited_requests *awaited = arg;
    const mst_wait_set *set = awaited->set;

    (void)peer;
    for (size_t i = awaited->next; i < set->count; i = mst_awaited_next(set, i + 1)) {
        mst_pending *pending = mst_awaited_find(&set->requests[i]);

        mst_group_lose(pending->group, find_lost(pending));
    }
}

/* Whom the operation needs, as a rank of the group; -1: it is of another group, or several would do, or must.
 */
static int16_t peer_in(const mst_group *group, const mst_pending *pending)
{
    int peers[2];

    pending->kind->find_peers(pending, peers);
    return (int16_t)(pending->group == group && peers[0] >= 0 && peers[1] < 0 ? peers[0] : -1);
}

static void show_any(const mst_awaited_requests *awaited, const mst_pending *first)
{
    const mst_wait_set *set = awaited->set;
    mst_shown_any any = { 0 };

    for (size_t i = awaited->next; i < set->count; i = mst_awaited_next(set, i + 1), any.count++)
        if (any.count < MST_SHOWN_MAX)
            any.peers[any.count] = peer_in(first->group, mst_awaited_find(&set->requests[i]));
    mst_group_show_any(first->group, mst_started_class(first->number), &any);
}

void mst_awaited_show(mst_awaited_requests *awaited)
{
    if (awaited->shown)
        return;
    mst_pending *pending = mst_awaited_find(&awaited->set->requests[awaited->next]);
    if (!pending->kind->show(pending))
        return;
    awaited->shown = pending;
    if (!awaited->alone)
        show_any(awaited, pending);
}

void mst_awaited_hide(const mst_pending *shown)
{
    muster_call_class class = mst_started_class(shown->number);

    mst_pending_lock(shown->group);
    mst_group_unrecorded(shown->group, class);
    mst_group_shown(shown->group, class);
    mst_pending_unlock(shown->group);
}

static bool wake_in(mst_group *group, void *arg)
{
    (void)arg;
    mst_deadlock_over(&group->subarena->attachment->deadlock);
    return false;
}

static void woke(void *arg)
{
    const mst_awaited_requests *awaited = arg;

    mst_awaited_each_group(awaited, wake_in, NULL);
}

static bool must_tick_in(mst_group *group, void *arg)
{
    mst_waiting waiting = waiting_in(group, arg);
    mst_watch watch = mst_waiting_watch(&waiting);

    return !watch.may_rest(watch.arg);
}

static bool may_rest(void *arg)
{
    const mst_awaited_requests *awaited = arg;

    return !mst_awaited_each_group(awaited, must_tick_in, arg);
}

typedef struct looking {
    const mst_awaited_requests *awaited;
    uint32_t cpu;
} looking;

static bool look_beside_in(mst_group *group, void *arg)
{
    const looking *looking = arg;
    mst_waiting waiting = waiting_in(group, looking->awaited);
    mst_watch watch = mst_waiting_watch(&waiting);

    return watch.is_beside(watch.arg, -1, looking->cpu);
}

static bool is_beside(void *arg, int peer, uint32_t cpu)
{
    const mst_awaited_requests *awaited = arg;

    (void)peer;
    return mst_awaited_each_group(awaited, look_beside_in, &(looking){ awaited, cpu });
}

mst_watch mst_awaited_watch(mst_awaited_requests *awaited)
{
    return (mst_watch){ tick, lost, woke, awaited, may_rest, is_beside };
}

/* ---- tests ---- */

void mst_pending_look_around(mst_pending *pending)
{
    mst_group *group = pending->group;
    static const mst_wait_kind kind = {
        .describe = describe, .find_peers = find_peers, .look = look, .open = true
    };
    mst_waiting waiting = { &kind, group, pending };
    mst_watch watch = mst_waiting_watch(&waiting);
    int64_t now_ns = mst_os_coarse_ns();

    if (now_ns - (int64_t)mst_load64_rlx(&group->tested_ns) < TEST_LOOKS_AFTER_NS)
        return;
    mst_store64_rlx(&group->tested_ns, (uint64_t)now_ns);
    if (!watch.tick(watch.arg, -1, (mst_slept){ 0 }))
        return;
    mst_pending_progress(group); /* what it did before it left may be enough */
    if (!pending->kind->is_over(pending))
        watch.lost(watch.arg, -1);
}
