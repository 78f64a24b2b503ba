/*
 * Starts messages, moves those that have been started, and cancels receives, for started_messages.h.
 *
 * A small message for which nothing else has to move passes when it is started, and is over. Of any other one
 * starting makes a transfer, and moves what can be moved. Then every call of the rank that waits moves it on,
 * whoever makes it; so what one thread moves may end what another one waits for, and whoever moves a transfer
 * rings the rank's own doorbells.
 */
#include "src/onehost/messages/started_messages.h"

#include <stdio.h>
#include <stdlib.h>

#include "shm/base/error.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/messages/at_once.h"
#include "src/onehost/messages/incoming.h"
#include "src/onehost/messages/outgoing.h"
#include "src/onehost/wait/await.h"
#include "src/onehost/wait/broken.h"
#include "src/onehost/wait/pending.h"
#include "src/onehost/wait/stall.h"
#include "src/pure/message.h"

typedef struct started_message {
    mst_pending pending; /* first */
    mst_transfer transfer;
    muster_call_class class;
    mst_doing doing; /* as asked for */
    struct started_message *next_spare;
} started_message;

static const started_message *message_of(const mst_pending *pending)
{
    return (const started_message *)pending;
}

static const char *name_of(muster_call_class class)
{
    return class == MUSTER_CALL_SEND ? "send_start" : "recv_start";
}

/* ---- what a wait needs to know ---- */

static bool is_over(const mst_pending *pending)
{
    return mst_transfer_is_over(&message_of(pending)->transfer);
}

/* A receive that has its message, and a send that the receiver has asked for, only have to be moved on. One
 * that is over needs nobody, though others of the same wait may not be. */
static bool find_peers(const mst_pending *pending, int peers[2])
{
    const started_message *message = message_of(pending);

    peers[0] = peers[1] = -1;
    mst_pending_lock(pending->group);
    bool over = mst_transfer_is_over(&message->transfer);
    bool waits = !over && message->transfer.state != MST_TRANSFER_MOVES;
    if (!over)
        peers[0] = message->transfer.peer == MUSTER_ANY_SOURCE ? MST_ANY_PEER : message->transfer.peer;
    mst_pending_unlock(pending->group);
    return waits;
}

static void describe(const mst_pending *pending, char *text, size_t bytes)
{
    const started_message *message = message_of(pending);
    const mst_doing *doing = &message->doing;

    mst_message_describe(name_of(message->class), (muster_dtype)doing->dtype, (size_t)doing->count,
                         (int)doing->op, text, bytes);
}

static void list_missing(const mst_pending *pending, char *text, size_t bytes)
{
    const char *act = message_of(pending)->class == MUSTER_CALL_SEND ? "receive" : "send";
    int peers[2];

    find_peers(pending, peers);
    if (peers[0] >= 0)
        snprintf(text, bytes, "rank %d to %s", peers[0], act);
    else
        snprintf(text, bytes, "any rank to %s", act);
}

static bool show(const mst_pending *pending)
{
    const started_message *message = message_of(pending);
    mst_group *group = pending->group;

    mst_pending_lock(group);
    bool shown = mst_group_show_beside(group, message->class,
                                       group->messages[message->class != MUSTER_CALL_SEND], &message->doing);
    mst_pending_unlock(group);
    return shown;
}

static void name_error(const mst_pending *pending, muster_status status)
{
    (void)status;
    mst_error_operation(name_of(message_of(pending)->class));
}

/* ---- ends ---- */

static void end(const mst_pending *pending)
{
    const started_message *message = message_of(pending);

    if (message->class == MUSTER_CALL_RECEIVE)
        mst_group_end(pending->group, message->transfer.bytes, message->transfer.total);
}

/* With the lock, as getting one. */
static void put_back(started_message *message)
{
    mst_group *group = message->pending.group;

    message->next_spare = group->spare_messages;
    group->spare_messages = message;
}

static void complete(mst_pending *pending, const mst_completion *completion)
{
    started_message *message = (started_message *)pending;
    mst_group *group = pending->group;
    bool receives = message->class == MUSTER_CALL_RECEIVE;

    if (completion->succeeded && !completion->shown)
        mst_group_record(group, message->class, &message->doing, completion->now_ns);
    else if (completion->succeeded)
        mst_group_arrived(group, message->class, completion->shown);
    if (completion->shown)
        mst_group_shown(group, message->class);
    group->traffic.ended = group->traffic.ended || !completion->succeeded; /* it may still be in a list */
    mst_pending_remove(pending);
    mst_store32_rlx(&group->traffic.started[receives], mst_load32_rlx(&group->traffic.started[receives]) - 1);
    put_back(message);
}

static const mst_pending_kind kind = { .is_over = is_over,
                                       .find_peers = find_peers,
                                       .describe = describe,
                                       .list_missing = list_missing,
                                       .show = show,
                                       .name_error = name_error,
                                       .end = end,
                                       .complete = complete };

void mst_message_stop(mst_group *group)
{
    mst_pending_lock(group);
    group->traffic.ended = true;
    mst_pending_unlock(group);
}

void mst_message_destroy(mst_group *group)
{
    for (started_message *next, *at = group->spare_messages; at; at = next) {
        next = at->next_spare;
        free(at);
    }
}

/* ---- progress ---- */

static muster_status move(mst_group *group, bool *moved)
{
    muster_status status = MUSTER_OK;

    if (mst_message_is_shared(group, false))
        status = mst_outgoing_move(group, moved);
    if (status == MUSTER_OK && mst_message_is_shared(group, true))
        status = mst_incoming_move(group, moved);
    return status;
}

/* With the lock. False: nothing is left to do. */
static bool progress(mst_group *group)
{
    const mst_traffic *traffic = &group->traffic;
    bool moved = true, any = false;

    if (!mst_load32_rlx(&traffic->started[0]) && !mst_load32_rlx(&traffic->started[1]))
        return false;
    while (moved && !traffic->ended && !mst_subarena_is_broken(group->subarena)) {
        moved = false;
        if (move(group, &moved) != MUSTER_OK)
            return false;
        any = any || moved;
    }
    if (any)
        mst_messages_moved(group);
    if (traffic->ended) /* what is not shared belongs to a thread in a call of that direction */
        return false;
    return (mst_message_is_shared(group, false) && traffic->outgoing.busy.count > 0) ||
           (mst_message_is_shared(group, true) && traffic->incoming.pending > 0);
}

/* ---- what is started ---- */

static started_message *get_message(mst_group *group)
{
    started_message *message = group->spare_messages;

    if (message)
        group->spare_messages = message->next_spare;
    else
        message = malloc(sizeof *message);
    return message;
}

static void fill_in(started_message *message, mst_group *group, muster_call_class class,
                    const mst_message *asked)
{
    bool sends = class == MUSTER_CALL_SEND;

    message->pending =
        (mst_pending){ .kind = &kind, .group = group, .timeout_ns = mst_started_limit_ns(&group->base) };
    message->class = class;
    message->doing = mst_doing_of_message(asked, sends, group->messages[!sends] + 1);
    message->doing.kind |= MST_DOING_STARTED;
}

/* ---- what passes at once ---- */

/* Of nobody, and for nobody, it is over at once. *bytes: those that have come. */
static bool pass(mst_group *group, const mst_message *asked, size_t *bytes)
{
    *bytes = 0;
    if (asked->sends)
        return !group->traffic.ended && mst_send_at_once(group, asked);
    return !asked->receives || (!group->traffic.ended && mst_receives_alone(group, asked) &&
                                mst_receive_at_once(group, asked, bytes) == MST_FLOW_OK);
}

/* No other thread knows of it yet, so nobody is to be woken. The rest of its transfer is never looked at. */
static void end_passed(started_message *message, const mst_message *asked)
{
    mst_transfer *transfer = &message->transfer;

    transfer->bytes = asked->in;
    mst_transfer_end(transfer);
    mst_deadlock_over(&message->pending.group->subarena->attachment->deadlock);
}

/* ---- what does not ---- */

static void fill_in_transfer(mst_transfer *transfer, const mst_message *asked)
{
    bool sends = asked->sends;

    *transfer = (mst_transfer){ .sends = sends,
                                .exact = !asked->result,
                                .peer = sends ? asked->destination : asked->source,
                                .tag = sends ? asked->send_tag : asked->receive_tag,
                                .dtype = asked->dtype,
                                .bytes = sends ? (unsigned char *)(uintptr_t)asked->out : asked->in,
                                .room = asked->in_bytes,
                                .total = asked->out_bytes,
                                .result = asked->result };
}

/* Of several receives of one source, which a program starts one behind the other, the channel is looked at
 * for the first: what comes meanwhile the wait finds, or the next call that makes progress. A look takes the
 * line from a sender that is about to write there. */
static bool is_to_be_moved(const mst_group *group, const mst_transfer *transfer)
{
    return transfer->sends || transfer->peer == MUSTER_ANY_SOURCE ||
           group->traffic.incoming.sources[transfer->peer].wanted == 1;
}

/* Where nothing is moved any more, or moving fails, it stays as it is: the group is broken, as its wait will
 * find. */
static void enlist(mst_group *group, mst_transfer *transfer)
{
    bool moved = false;
    muster_status status = MUSTER_OK;

    if (group->traffic.ended)
        return;
    if (transfer->sends)
        mst_outgoing_add(group, transfer);
    else
        status = mst_incoming_add(group, transfer);
    if (status == MUSTER_OK && !mst_transfer_is_over(transfer) && is_to_be_moved(group, transfer))
        (void)(transfer->sends ? mst_outgoing_move(group, &moved) : mst_incoming_move(group, &moved));
    if (moved)
        mst_messages_moved(group);
}

/* ---- starting ---- */

/* With the lock. What is started in a group that breaks just then is completed with that error. */
static muster_status start(mst_group *group, muster_call_class class, const mst_message *asked,
                           uint64_t *number)
{
    started_message *message = get_message(group);
    _Atomic uint32_t *started = &group->traffic.started[class == MUSTER_CALL_RECEIVE];

    if (!message)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for one more started message");
    fill_in(message, group, class, asked);
    muster_status status = mst_pending_add(&message->pending, class);
    if (status != MUSTER_OK) {
        put_back(message);
        return status;
    }
    group->messages[class == MUSTER_CALL_RECEIVE]++;
    mst_store32_rlx(started, mst_load32_rlx(started) + 1);
    *number = message->pending.number;
    if (pass(group, asked, &message->transfer.total)) {
        end_passed(message, asked);
        return MUSTER_OK;
    }
    fill_in_transfer(&message->transfer, asked);
    enlist(group, &message->transfer);
    if (!mst_transfer_is_over(&message->transfer)) {
        mst_pending_register(group, MUSTER_CALL_SEND, progress); /* of both directions */
        mst_pending_wanted(group);
    }
    return MUSTER_OK;
}

muster_status mst_message_start(muster_group *of, muster_call_class class, const mst_message *asked,
                                uint64_t *number)
{
    mst_group *group = mst_group_of(of);

    muster_status status = mst_group_ready_to_start(group, class);
    if (status != MUSTER_OK)
        return status;
    mst_group_begin(group);
    mst_pending_lock(group);
    if (asked->sends)
        status = mst_channel_open(&group->channels, asked->destination);
    if (status == MUSTER_OK)
        status = start(group, class, asked, number);
    mst_pending_unlock(group);
    return status;
}

/* ---- canceling ---- */

/* With the lock. Where nothing is moved any more, lists may have what is gone: its wait ends it then. */
static bool take_back(mst_group *group, started_message *message)
{
    if (message->class != MUSTER_CALL_RECEIVE || group->traffic.ended ||
        mst_transfer_is_over(&message->transfer) || message->transfer.state != MST_TRANSFER_WAITS)
        return false;
    mst_incoming_remove(group, &message->transfer);
    mst_pending_remove(&message->pending);
    mst_store32_rlx(&group->traffic.started[1], mst_load32_rlx(&group->traffic.started[1]) - 1);
    put_back(message);
    return true;
}

muster_status mst_message_cancel(muster_group *of, uint64_t number, bool *over)
{
    mst_group *group = mst_group_of(of);
    mst_pending *pending;

    *over = false;
    muster_status status = mst_pending_take(group, number, over, &pending);
    if (status != MUSTER_OK)
        return status;
    if (mst_group_ready(group, mst_started_class(number)) != MUSTER_OK) {
        mst_pending_let_go(pending);
        return mst_pending_test(of, number, over); /* which ends it */
    }
    if (pending->kind == &kind) {
        mst_pending_lock(group);
        *over = take_back(group, (started_message *)pending);
        mst_pending_unlock(group);
    }
    if (!*over)
        mst_pending_let_go(pending);
    return MUSTER_OK;
}
