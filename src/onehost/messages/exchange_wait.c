/* The wait of a blocking message, and what observers see of it, for exchange_wait.h. */
#include "src/onehost/messages/exchange_wait.h"

#include <stdio.h>

#include "shm/base/log.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/wait/broken.h"
#include "src/pure/dtype.h"
#include "src/pure/message.h"

#define PEER_BYTES 24

/* ---- what it is and whom it waits for ---- */

/* Of a sendrecv of which nothing is done either half may be the one that has to wait. */
static void describe_both(const mst_message *message, char *text, size_t bytes)
{
    char elements[MST_DTYPE_NAME_BYTES], sent[MST_TAG_BYTES], received[MST_TAG_BYTES];

    mst_dtype_describe(message->dtype, elements);
    mst_tag_describe(message->send_tag, sent);
    mst_tag_describe(message->receive_tag, received);
    snprintf(text, bytes, "%s (sends %s x %zu, %s; receives x %zu, %s)", message->name, elements,
             message->out_count, sent, message->in_count, received);
}

/* What is not done. */
static void describe(const void *arg, char *text, size_t bytes)
{
    const mst_exchange *exchange = arg;
    const mst_message *message = exchange->message;
    bool sends = !exchange->sent;

    if (sends && !exchange->received)
        describe_both(message, text, bytes);
    else
        mst_message_describe(message->name, message->dtype, sends ? message->out_count : message->in_count,
                             sends ? message->send_tag : message->receive_tag, text, bytes);
}

/* The rank that must receive, and the rank that must send, for the call to continue; -1: none any more. */
static void find_peers(const void *arg, int peers[2])
{
    const mst_exchange *exchange = arg;

    peers[0] = exchange->sent ? -1 : exchange->message->destination;
    peers[1] = -1;
    if (exchange->received)
        return;
    mst_exchange_lock(exchange);
    peers[1] = exchange->added ? exchange->in.peer : exchange->message->source;
    mst_exchange_unlock(exchange);
    if (peers[1] == MUSTER_ANY_SOURCE)
        peers[1] = MST_ANY_PEER;
}

static muster_status wait_failed(mst_exchange *exchange, mst_wait_result result)
{
    int peers[2];
    char doing[MST_DOING_BYTES], missing[40];

    find_peers(exchange, peers);
    int late = exchange->received ? peers[0] : peers[1];
    describe(exchange, doing, sizeof doing);
    if (late >= 0)
        snprintf(missing, sizeof missing, "rank %d to %s", late, exchange->received ? "receive" : "send");
    else
        snprintf(missing, sizeof missing, "any rank to send");
    return mst_group_wait_failed(exchange->group, result, doing, missing, late);
}

/* ---- its activities and records ---- */

static mst_doing doing_of(const mst_exchange *exchange, bool out)
{
    return mst_doing_of_message(exchange->message, out, exchange->numbers[out ? 0 : 1]);
}

static bool show_direction(const mst_exchange *exchange, bool out)
{
    mst_doing doing = doing_of(exchange, out);

    return mst_group_show_beside(exchange->group, out ? MUSTER_CALL_SEND : MUSTER_CALL_RECEIVE,
                                 doing.operation, &doing);
}

/* Publishes the activity for observers outside the job, once it is clear that we wait. */
static void show(const void *call)
{
    mst_exchange *exchange = (mst_exchange *)(uintptr_t)call; /* the wait passes on what it was given */

    mst_exchange_lock(exchange);
    if (!exchange->sent && !exchange->shows_out)
        exchange->shows_out = show_direction(exchange, true);
    if (!exchange->received && !exchange->shows_in)
        exchange->shows_in = show_direction(exchange, false);
    mst_exchange_unlock(exchange);
}

/* Both activities, if the exchange has them. */
void mst_exchange_hide(const mst_exchange *exchange)
{
    if (exchange->shows_in)
        mst_group_shown(exchange->group, MUSTER_CALL_RECEIVE);
    if (exchange->shows_out)
        mst_group_shown(exchange->group, MUSTER_CALL_SEND);
}

/* A direction with an activity is recorded when that ends; the other one here. */
static void record_direction(mst_exchange *exchange, bool out, const mst_waiter *waiter)
{
    muster_call_class class = out ? MUSTER_CALL_SEND : MUSTER_CALL_RECEIVE;

    if (out ? exchange->shows_out : exchange->shows_in) {
        mst_group_arrived(exchange->group, class, waiter);
    } else if (out ? exchange->message->sends : exchange->message->receives) {
        mst_doing doing = doing_of(exchange, out);

        mst_group_record(exchange->group, class, &doing, mst_group_now_ns(exchange->group));
    }
}

/* With the lock, if others use it. */
void mst_exchange_record(mst_exchange *exchange, const mst_waiter *waiter)
{
    record_direction(exchange, true, waiter);
    record_direction(exchange, false, waiter);
}

static void name_peer(int peer, char name[PEER_BYTES])
{
    if (peer >= 0)
        snprintf(name, PEER_BYTES, "rank %d", peer);
    else
        snprintf(name, PEER_BYTES, "any rank");
}

void mst_exchange_tell_entered(const mst_exchange *exchange)
{
    const mst_message *message = exchange->message;
    bool both = message->sends && message->receives && message->destination != message->source;
    char text[MST_DOING_BYTES], with[PEER_BYTES], from[PEER_BYTES];

    describe(exchange, text, sizeof text);
    name_peer(message->sends ? message->destination : message->source, with);
    name_peer(message->source, from);
    mst_log_line(exchange->group->base.log, MUSTER_LOG_DEBUG, "%s with %s%s%s, in a group of %d", text, with,
                 both ? " and " : "", both ? from : "", exchange->group->base.size);
}

/* ---- waiting ---- */

/* Most messages do not wait; this is for the first wait of one. */
static void prepare_to_wait(mst_exchange *exchange, mst_waiter *waiter)
{
    static const mst_wait_kind kind = {
        .describe = describe, .find_peers = find_peers, .show = show, .may_rest = true
    };

    exchange->waits = true;
    exchange->waiting = (mst_waiting){ &kind, exchange->group, exchange };
    waiter->watch = mst_waiting_watch(&exchange->waiting);
    waiter->deadline.limit_ns = exchange->group->base.timeout_ns;
    mst_deadline_begin(&waiter->deadline);
}

muster_status mst_exchange_wait(mst_exchange *exchange, mst_waiter *waiter, bool (*ready)(const void *arg))
{
    mst_group *group = exchange->group;
    mst_eventcount *doorbell = &group->cell->doorbell;

    if (!exchange->waits)
        prepare_to_wait(exchange, waiter);
    if (!exchange->shows_out && !exchange->shows_in)
        show(exchange);
    mst_wait_result result = mst_wait_until(waiter, mst_eventcount_parking(doorbell), ready, &exchange, -1);
    return result == MST_WAIT_READY ? MUSTER_OK : wait_failed(exchange, result);
}
