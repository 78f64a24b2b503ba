/*
 * Blocking messages, as described in exchange.h.
 *
 * A small message for which nothing else has to move passes at once: put into the channel, or taken from it
 * if it is the next there. All others become transfers (transfer.h): each turn moves what can be moved now,
 * and the rank sleeps on its doorbell until something can. As sendrecv always serves both directions, no
 * pattern of sendrecv deadlocks.
 */
#include "src/onehost/messages/exchange.h"

#include "src/onehost/messages/at_once.h"
#include "src/onehost/messages/incoming.h"
#include "src/onehost/messages/outgoing.h"
#include "src/onehost/wait/broken.h"

/* ---- transfers ---- */

static muster_status add(mst_exchange *exchange)
{
    const mst_message *message = exchange->message;

    exchange->added = true;
    if (!exchange->sent) {
        exchange->out = (mst_transfer){ .sends = true,
                                        .peer = message->destination,
                                        .tag = message->send_tag,
                                        .dtype = message->dtype,
                                        .bytes = (unsigned char *)(uintptr_t)message->out,
                                        .total = message->out_bytes };
        mst_outgoing_add(exchange->group, &exchange->out);
    }
    if (exchange->received)
        return MUSTER_OK;
    exchange->in = (mst_transfer){ .exact = !message->result,
                                   .peer = message->source,
                                   .tag = message->receive_tag,
                                   .dtype = message->dtype,
                                   .bytes = message->in,
                                   .room = message->in_bytes,
                                   .result = message->result };
    return mst_incoming_add(exchange->group, &exchange->in);
}

/* Another thread's call has failed, its transfers are gone, and so the group moves nothing any more. */
static muster_status explain_end(const mst_exchange *exchange)
{
    return mst_group_wait_failed(exchange->group, MST_WAIT_POISONED, "", "", -1);
}

/* With the lock. */
static muster_status move_all(const mst_exchange *exchange, bool *moved)
{
    muster_status status = MUSTER_OK;

    if (exchange->message->sends)
        status = mst_outgoing_move(exchange->group, moved);
    if (exchange->message->receives && status == MUSTER_OK)
        status = mst_incoming_move(exchange->group, moved);
    return status;
}

/* Moves what can be moved now. */
static bool move(mst_exchange *exchange)
{
    mst_group *group = exchange->group;
    bool moved = false;

    mst_exchange_lock(exchange);
    bool ended = exchange->locks && group->traffic.ended;
    exchange->status = ended ? MUSTER_OK : move_all(exchange, &moved);
    mst_exchange_unlock(exchange);
    if (moved && exchange->locks)
        mst_channels_ring(&group->channels, group->base.rank); /* what another thread waits for may be over */
    if (!exchange->sent)
        exchange->sent = mst_transfer_is_over(&exchange->out);
    if (!exchange->received)
        exchange->received = mst_transfer_is_over(&exchange->in);
    if (ended && !(exchange->sent && exchange->received))
        exchange->status = explain_end(exchange);
    return moved;
}

/* ---- waiting ---- */

static bool can_move(const void *arg)
{
    mst_exchange *exchange = *(mst_exchange *const *)arg;

    return move(exchange) || exchange->status != MUSTER_OK || (exchange->sent && exchange->received);
}

/* Receives it at once, when it comes. */
static bool has_come(const void *arg)
{
    mst_exchange *exchange = *(mst_exchange *const *)arg;

    if (exchange->flow == MST_FLOW_NOT_NOW)
        exchange->flow = mst_receive_at_once(exchange->group, exchange->message, &exchange->in.total);
    return exchange->flow != MST_FLOW_NOT_NOW;
}

/* The other direction's counter may be another thread's. */
static void count(mst_exchange *exchange)
{
    uint64_t *messages = exchange->group->messages;

    if (exchange->message->sends)
        exchange->numbers[0] = ++messages[0];
    if (exchange->message->receives)
        exchange->numbers[1] = ++messages[1];
}

static void begin(mst_exchange *exchange, mst_waiter *waiter)
{
    if (mst_log_wanted(exchange->group->base.log, MUSTER_LOG_DEBUG))
        mst_exchange_tell_entered(exchange);
    mst_group_begin(exchange->group);
    waiter->waited_ns = 0;
    exchange->waits = false;
}

/* Turns of transfers. */
static muster_status run_transfers(mst_exchange *exchange, mst_waiter *waiter)
{
    muster_status status = MUSTER_OK;

    while (status == MUSTER_OK) {
        bool moved = move(exchange);

        status = exchange->status;
        if (status != MUSTER_OK || (exchange->sent && exchange->received))
            break;
        if (!exchange->received && !exchange->locks)
            mst_incoming_hint(exchange->group, &exchange->in);
        if (!moved)
            status = mst_exchange_wait(exchange, waiter, can_move);
        if (status == MUSTER_OK)
            status = exchange->status;
    }
    return status;
}

/* What passes at once, now or when it comes; *passed: all has. */
static muster_status pass(mst_exchange *exchange, mst_waiter *waiter, bool *passed)
{
    muster_status status = MUSTER_OK;

    if (!exchange->sent)
        exchange->sent = mst_send_at_once(exchange->group, exchange->message);
    if (exchange->sent && !exchange->received && mst_receives_alone(exchange->group, exchange->message)) {
        exchange->flow = mst_receive_at_once(exchange->group, exchange->message, &exchange->in.total);
        if (exchange->flow == MST_FLOW_NOT_NOW) {
            if (!exchange->locks)
                mst_incoming_hint_next(exchange->group, exchange->message);
            status = mst_exchange_wait(exchange, waiter, has_come);
        }
        exchange->received = status == MUSTER_OK && exchange->flow == MST_FLOW_OK;
    }
    *passed = exchange->sent && exchange->received;
    return status;
}

static muster_status run(mst_exchange *exchange, mst_waiter *waiter)
{
    bool passed = false;

    muster_status status = pass(exchange, waiter, &passed);
    if (status != MUSTER_OK || passed)
        return status;
    status = add(exchange);
    if (status == MUSTER_OK)
        status = run_transfers(exchange, waiter);
    if (status != MUSTER_OK)
        mst_message_stop(exchange->group);
    return status;
}

muster_status mst_exchange_run(mst_exchange *exchange)
{
    mst_group *group = exchange->group;
    mst_waiter *waiter = exchange->received ? &group->send_waiter : &group->receive_waiter;

    begin(exchange, waiter);
    count(exchange);
    muster_status status = run(exchange, waiter);
    if (status == MUSTER_OK) {
        mst_exchange_record(exchange, waiter);
        if (exchange->message->receives)
            mst_group_end(group, exchange->message->in, exchange->in.total);
    }
    mst_exchange_hide(exchange);
    return status;
}

/* ---- the same beside other threads ---- */

static muster_status run_shared(mst_exchange *exchange, mst_waiter *waiter)
{
    mst_group *group = exchange->group;

    mst_exchange_lock(exchange);
    count(exchange);
    muster_status status = group->traffic.ended ? explain_end(exchange) : add(exchange);
    mst_exchange_unlock(exchange);
    if (status == MUSTER_OK)
        status = run_transfers(exchange, waiter);
    if (status != MUSTER_OK)
        mst_message_stop(group);
    return status;
}

muster_status mst_exchange_run_shared(mst_exchange *exchange)
{
    mst_group *group = exchange->group;
    mst_waiter waiter;

    mst_group_borrow_waiter(group, exchange->received ? MUSTER_CALL_SEND : MUSTER_CALL_RECEIVE, &waiter);
    begin(exchange, &waiter);
    muster_status status = run_shared(exchange, &waiter);
    mst_exchange_lock(exchange);
    if (status == MUSTER_OK)
        mst_exchange_record(exchange, &waiter);
    mst_exchange_hide(exchange);
    mst_exchange_unlock(exchange);
    if (status == MUSTER_OK && exchange->message->receives)
        mst_group_end(group, exchange->message->in, exchange->in.total);
    return status;
}
