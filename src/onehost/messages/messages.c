/* send, recv, sendrecv and probe, for messages.h. */
#include "src/onehost/messages/messages.h"

#include <stdio.h>

#include "shm/base/error.h"
#include "shm/group/channel_out.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/messages/exchange.h"
#include "src/onehost/messages/incoming.h"
#include "src/onehost/wait/broken.h"
#include "src/onehost/wait/pending.h"
#include "src/pure/message.h"

static bool has_room_for_self(mst_group *group, const mst_message *message)
{
    return message->out_bytes <= MST_EAGER_BYTES &&
           mst_channel_has_room(&group->channels, group->base.rank, message->out_bytes) == MST_FLOW_OK;
}

static bool is_queued_for_self(const mst_group *group, int tag)
{
    const mst_transfer *at = group->traffic.outgoing.destinations[group->base.rank].queue.first;

    while (at && tag != MUSTER_ANY_TAG && at->tag != tag)
        at = at->next;
    return at != NULL;
}

/* Whether the receive of the same call gets it, or gets an earlier message to ourselves, which makes room for
 * what could travel by itself. */
static muster_status look_at_own_receive(mst_group *group, const mst_message *message, bool *helps)
{
    int self = group->base.rank, source = message->source, tag = message->receive_tag;
    const mst_unexpected *found = NULL;

    if (!message->receives || (source != self && source != MUSTER_ANY_SOURCE))
        return MUSTER_OK;
    muster_status status = mst_incoming_probe(group, source, tag, &found);
    if (found || is_queued_for_self(group, tag))
        *helps = message->out_bytes <= MST_EAGER_BYTES && (!found || found->node.source == self);
    else
        *helps = tag == MUSTER_ANY_TAG || tag == message->send_tag;
    return status;
}

/* Whether a message to ourselves travels by itself, and no started one waits ahead of it, or a receive for it
 * has been started, or comes with it. Receives that another thread moves without the lock are not looked at.
 */
static muster_status look_for_receive(mst_group *group, const mst_message *message, bool *goes)
{
    bool queued = group->traffic.outgoing.destinations[group->base.rank].queue.first != NULL;
    bool receives = message->receives || mst_message_is_shared(group, true);

    *goes = (!queued && has_room_for_self(group, message)) ||
            (receives &&
             mst_matching_expects(&group->traffic.incoming.matching, group->base.rank, message->send_tag));
    return *goes ? MUSTER_OK : look_at_own_receive(group, message, goes);
}

static muster_status refuse_to_self(const mst_group *group, const mst_message *message)
{
    if (message->out_bytes > MST_EAGER_BYTES)
        return mst_fail(
            MUSTER_ERR_INVALID,
            "%s: %zu bytes to oneself are more than the %d KiB that are buffered of a message; start "
            "a receive for it first, or use a sendrecv that receives it",
            message->name, message->out_bytes, MST_EAGER_BYTES / 1024);
    return mst_fail(MUSTER_ERR_INVALID,
                    "%s: %zu bytes to oneself do not fit into what the channel still buffers (of %llu KiB in "
                    "all); receive first%s",
                    message->name, message->out_bytes, (unsigned long long)group->channels.ring_bytes / 1024,
                    message->receives ? "" : ", or use sendrecv");
}

/* Refuses one that nobody would receive. */
static muster_status check_send_to_self(mst_group *group, const mst_message *message)
{
    muster_status status = MUSTER_OK;
    bool goes = true;

    if (message->destination != group->base.rank)
        return MUSTER_OK;
    bool shared = mst_message_is_shared(group, false) || mst_message_is_shared(group, true);
    if (shared)
        mst_pending_lock(group);
    if (!shared || !group->traffic.ended) /* else the exchange says why */
        status = look_for_receive(group, message, &goes);
    if (shared)
        mst_pending_unlock(group);
    return goes || status != MUSTER_OK ? status : refuse_to_self(group, message);
}

static muster_status enter(mst_group *group, const mst_message *message)
{
    muster_status status = MUSTER_OK;

    if (message->sends)
        status = mst_group_ready(group, MUSTER_CALL_SEND);
    if (message->receives && status == MUSTER_OK)
        status = mst_group_ready(group, MUSTER_CALL_RECEIVE);
    return status;
}

static muster_status move_alone(mst_exchange *exchange)
{
    const mst_message *message = exchange->message;
    muster_status status = MUSTER_OK;

    if (message->sends) {
        status = mst_channel_open(&exchange->group->channels, message->destination);
        if (status == MUSTER_OK)
            status = check_send_to_self(exchange->group, message);
    }
    return status == MUSTER_OK ? mst_exchange_run(exchange) : status;
}

/* Where there may be several threads, another one can receive what a rank sends to itself. */
static muster_status move_shared(mst_exchange *exchange)
{
    mst_group *group = exchange->group;
    const mst_message *message = exchange->message;
    muster_status status = MUSTER_OK;

    if (message->sends) {
        mst_pending_lock(group);
        status = mst_channel_open(&group->channels, message->destination);
        mst_pending_unlock(group);
    }
    if (status == MUSTER_OK && !group->base.threads_multiple)
        status = check_send_to_self(group, message);
    return status == MUSTER_OK ? mst_exchange_run_shared(exchange) : status;
}

muster_status mst_message_move(muster_group *of, const mst_message *message)
{
    mst_group *group = mst_group_of(of);
    mst_exchange exchange;

    /* First, since the checks take as long as the lines; it only prefetches, also in a broken group. Not
     * while another thread may be in the channel, for started sends. */
    if (message->sends && !mst_message_is_shared(group, false))
        mst_channel_prefetch(&group->channels, message->destination, message->out_bytes);
    mst_exchange_init(&exchange, group, message);
    muster_status status = enter(group, message);
    if (status != MUSTER_OK)
        return status;
    return exchange.locks ? move_shared(&exchange) : move_alone(&exchange);
}

/* ---- probing ---- */

/* A probe that waits. */
typedef struct probe {
    mst_group *group;
    int source, tag;
    bool locks;
    bool shown; /* has a published activity */
    bool found;
    muster_message *result;
    muster_status status;
    mst_waiting waiting;
} probe;

static void lock(const probe *probe)
{
    if (probe->locks)
        mst_pending_lock(probe->group);
}

static void unlock(const probe *probe)
{
    if (probe->locks)
        mst_pending_unlock(probe->group);
}

static bool look(const void *arg)
{
    probe *probe = *(struct probe *const *)arg;
    const mst_unexpected *found = NULL; /* as long as the lock is held */

    lock(probe);
    if (probe->locks && probe->group->traffic.ended)
        probe->status = mst_group_wait_failed(probe->group, MST_WAIT_POISONED, "", "", -1);
    else
        probe->status = mst_incoming_probe(probe->group, probe->source, probe->tag, &found);
    probe->found = found && probe->status == MUSTER_OK;
    if (probe->found)
        mst_message_tell(probe->result, found->node.source, found->envelope.tag,
                         (muster_dtype)found->envelope.type, (size_t)found->envelope.total);
    unlock(probe);
    return probe->found || probe->status != MUSTER_OK;
}

static void describe(const void *arg, char *text, size_t bytes)
{
    const probe *probe = arg;
    char tagged[MST_TAG_BYTES];

    mst_tag_describe(probe->tag, tagged);
    snprintf(text, bytes, "probe (%s)", tagged);
}

static void find_peers(const void *arg, int peers[2])
{
    const probe *probe = arg;

    peers[0] = -1;
    peers[1] = probe->source == MUSTER_ANY_SOURCE ? MST_ANY_PEER : probe->source;
}

static muster_status fail(probe *probe, mst_wait_result result)
{
    char doing[40], missing[32] = "any rank to send";

    describe(probe, doing, sizeof doing);
    if (probe->source >= 0)
        snprintf(missing, sizeof missing, "rank %d to send", probe->source);
    return mst_group_wait_failed(probe->group, result, doing, missing, probe->source);
}

/* It takes the number of the receive that comes next, and is not recorded: it moves nothing. */
static void show(const void *call)
{
    probe *probe = (struct probe *)(uintptr_t)call; /* the wait passes on what it was given */
    mst_group *group = probe->group;

    if (probe->shown)
        return;
    lock(probe);
    mst_doing doing = { .kind = MST_DOING_PROBE,
                        .op = (uint32_t)probe->tag,
                        .peer = probe->source < 0 ? -1 : probe->source,
                        .operation = group->messages[1] + 1 };
    probe->shown = mst_group_show_beside(group, MUSTER_CALL_RECEIVE, doing.operation, &doing);
    if (probe->shown)
        mst_group_unrecorded(group, MUSTER_CALL_RECEIVE);
    unlock(probe);
}

static void hide(const probe *probe)
{
    if (!probe->shown)
        return;
    lock(probe);
    mst_group_shown(probe->group, MUSTER_CALL_RECEIVE);
    unlock(probe);
}

static muster_status wait(probe *probe)
{
    static const mst_wait_kind kind = {
        .describe = describe, .find_peers = find_peers, .show = show, .may_rest = true
    };
    mst_group *group = probe->group;
    mst_eventcount *doorbell = &group->cell->doorbell;
    mst_waiter waiter;

    mst_group_borrow_waiter(group, MUSTER_CALL_RECEIVE, &waiter);
    waiter.deadline.limit_ns = group->base.timeout_ns;
    mst_deadline_begin(&waiter.deadline);
    waiter.waited_ns = 0;
    probe->waiting = (mst_waiting){ &kind, group, probe };
    waiter.watch = mst_waiting_watch(&probe->waiting);
    show(probe);
    mst_wait_result result = mst_wait_until(&waiter, mst_eventcount_parking(doorbell), look, &probe, -1);
    hide(probe);
    return result == MST_WAIT_READY ? probe->status : fail(probe, result);
}

muster_status mst_message_probe(muster_group *of, int source, int tag, bool waits, bool *found,
                                muster_message *result)
{
    mst_group *group = mst_group_of(of);
    probe probe = { .group = group,
                    .source = source,
                    .tag = tag,
                    .result = result,
                    .locks = mst_message_is_shared(group, true) },
          *at = &probe;

    muster_status status = mst_group_ready(group, MUSTER_CALL_RECEIVE);
    if (status != MUSTER_OK)
        return status;
    mst_group_begin(group);
    if (!look(&at) && waits)
        status = wait(&probe);
    else
        status = probe.status;
    if (status == MUSTER_OK)
        *found = probe.found;
    return status;
}
