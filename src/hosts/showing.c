/* Tells the local group what to show, for showing.h. */
#include "src/hosts/showing.h"

#include <time.h>

static void set(uint64_t *bits, int rank)
{
    if (rank >= 0 && rank < 64 * MST_SEEN_WORDS)
        bits[rank / 64] |= 1ULL << (rank % 64);
}

int64_t mst_hosts_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static bool is_shown(const mst_hosts_group *group)
{
    return group->link && group->local->backend->show;
}

/* ---- groups ---- */

void mst_hosts_hide(muster_group *inner)
{
    if (inner->backend->show_as)
        inner->backend->show_as(inner, NULL, false);
}

/* Numbers of groups on one host are those of its arena, and have no bits where the first member's is put: no
 * other host's groups have the same. */
static uint64_t number_of(const mst_hosts_group *group)
{
    uint64_t first = (uint64_t)group->seats[0];

    return group->link ? group->link->number : group->base.number ^ (first & 15) << 44 ^ first >> 4 << 58;
}

void mst_hosts_show_group(mst_hosts_group *group)
{
    muster_group *local = group->local;
    uint64_t members[MST_SEEN_WORDS] = { 0 };
    bool linked = group->link != NULL, in_order = group->base.size == group->world->size;

    if (!local->backend->show_as)
        return;
    for (int rank = 0; linked && rank < group->base.size; rank++)
        set(members, group->seats[rank]);
    mst_seen_as as = { .number = number_of(group),
                       .world = in_order && !group->world->shown,
                       .rank = group->base.rank,
                       .size = group->base.size,
                       .members = members };
    group->world->shown = true; /* the first one that is made is the world */
    group->base.number = local->backend->show_as(local, &as, !linked);
}

/* ---- collectives ---- */

static void show(mst_hosts_group *group, const mst_shown *what)
{
    group->local->backend->show(group->local, what);
}

static mst_shown shown_of(const mst_run *run)
{
    return (mst_shown){ .kind = MST_SHOWN_COLLECTIVE,
                        .class = MUSTER_CALL_COLLECTIVE,
                        .request = &run->request,
                        .started = run->started,
                        .operation = run->operation,
                        .latest = run->group->operation,
                        .under_way = run->group->under_way,
                        .peer_in_job = -1 };
}

void mst_hosts_show_run(const mst_run *run)
{
    mst_shown what = shown_of(run);

    if (!is_shown(run->group) || run->group->shown == run->operation)
        return;
    run->group->shown = run->operation;
    show(run->group, &what);
}

void mst_hosts_unshow_run(mst_hosts_group *group)
{
    if (!is_shown(group) || !group->shown)
        return;
    group->shown = 0;
    group->local->backend->unshow(group->local, MUSTER_CALL_COLLECTIVE);
}

/* Observers know the latest one. */
void mst_hosts_show_started(const mst_run *run)
{
    mst_hosts_show_run(run);
    mst_hosts_unshow_run(run->group);
}

/* What had come before this call was not waited for in it. */
void mst_hosts_record_run(const mst_run *run)
{
    mst_shown what = shown_of(run);
    int64_t arrived_ns = run->arrived_ns;

    if (!is_shown(run->group) || run->status != MUSTER_OK)
        return;
    if (arrived_ns && arrived_ns < run->entered_ns)
        arrived_ns = run->entered_ns;
    run->group->local->backend->record(run->group->local, &what, run->entered_ns, arrived_ns);
}

void mst_hosts_show_awaited(mst_hosts_group *group, const muster_request *requests, const int *peers,
                            size_t count)
{
    uint64_t awaited[MST_SEEN_WORDS] = { 0 };

    if (!is_shown(group))
        return;
    for (size_t i = 0; i < count && peers; i++)
        if (requests[i].group && peers[i] >= 0 && group->places.host[peers[i]] != group->places.own_host)
            set(awaited, group->seats[peers[i]]);
    group->local->backend->show_awaited(group->local, awaited);
}

void mst_hosts_show_members(mst_hosts_group *group, const int *ranks, int count)
{
    uint64_t others[MST_SEEN_WORDS] = { 0 };

    if (!is_shown(group))
        return;
    for (int i = 0; i < count; i++)
        if (group->places.host[ranks[i]] != group->places.own_host)
            set(others, group->seats[ranks[i]]);
    group->local->backend->show_awaited(group->local, others);
}

/* ---- other calls ---- */

static int peer_of(const mst_hosts_group *group, muster_call_class class, const mst_message *message)
{
    int peer = class == MUSTER_CALL_SEND ? message->destination : message->source;

    return peer >= 0 && peer < group->base.size ? group->seats[peer] : -1;
}

/* A probe has that of the receive that comes next. */
static uint64_t number_call(mst_hosts_group *group, mst_shown_kind kind, muster_call_class class)
{
    if (kind == MST_SHOWN_SUBSET)
        return ++group->subsets;
    if (kind == MST_SHOWN_PROBE || kind == MST_SHOWN_MESSAGES)
        return group->calls[class] + 1;
    return ++group->calls[class];
}

void mst_hosts_show_begin(mst_hosts_showing *showing, mst_hosts_group *group, mst_shown_kind kind,
                          muster_call_class class, const mst_message *message)
{
    *showing = (mst_hosts_showing){ .group = group };
    if (!is_shown(group))
        return;
    pthread_mutex_lock(&group->showing);
    uint64_t number = number_call(group, kind, class);
    showing->what = (mst_shown){ .kind = kind,
                                 .class = class,
                                 .message = message,
                                 .operation = number,
                                 .latest = group->calls[class],
                                 .peer_in_job = message ? peer_of(group, class, message) : -1 };
    showing->entered_ns = mst_hosts_now_ns();
    showing->shown = !group->shows[class];
    group->shows[class] = true;
    if (showing->shown)
        show(group, &showing->what);
    pthread_mutex_unlock(&group->showing);
}

void mst_hosts_show_end(mst_hosts_showing *showing, bool succeeded)
{
    mst_hosts_group *group = showing->group;
    muster_call_class class = showing->what.class;
    bool moves = showing->what.kind != MST_SHOWN_PROBE && showing->what.kind != MST_SHOWN_MESSAGES;

    if (!is_shown(group))
        return;
    pthread_mutex_lock(&group->showing);
    if (showing->shown) {
        group->local->backend->unshow(group->local, class);
        group->shows[class] = false;
    }
    if (succeeded && moves)
        group->local->backend->record(group->local, &showing->what, showing->entered_ns, mst_hosts_now_ns());
    pthread_mutex_unlock(&group->showing);
}
