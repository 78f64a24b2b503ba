/* Messages of the backend of threads: a mailbox for each member, to which senders bring what they send. */
#include <stdlib.h>
#include <string.h>

#include "src/pure/message.h"
#include "tests/backend/handle.h"

static mailbox *mailbox_of(const shared_group *shared, int rank)
{
    return &shared->mailboxes[rank];
}

static void doing_of(const mst_message *message, bool out, char *text, size_t bytes)
{
    mst_message_describe(message->name, message->dtype, out ? message->out_count : message->in_count,
                         out ? message->send_tag : message->receive_tag, text, bytes);
}

/* ---- a message and its receive ---- */

static void tell(muster_message *result, const envelope *envelope)
{
    mst_message_tell(result, envelope->node.source, envelope->node.tag, envelope->dtype, envelope->bytes);
}

/* Whether the message fits its receive; otherwise the group is broken. */
static bool fits(shared_group *shared, int rank, const mst_message *message, const envelope *envelope)
{
    bool exact = !message->result;

    if ((envelope->dtype == message->dtype || envelope->count == 0) && envelope->count <= message->in_count &&
        (!exact || envelope->count == message->in_count))
        return true;
    break_group(shared, envelope->node.source, MUSTER_ERR_MISMATCH,
                "rank %d expected a message of %s x %s%zu from rank %d, which sent %s x %zu with tag %d",
                rank, muster_dtype_name(message->dtype), exact ? "" : "up to ", message->in_count,
                envelope->node.source, muster_dtype_name(envelope->dtype), envelope->count,
                envelope->node.tag);
    return false;
}

/* Whoever brings the two together, the sender or the receiver, does this. */
static void deliver(const mst_message *message, const envelope *envelope)
{
    if (envelope->bytes)
        memcpy(message->in, envelope->data, envelope->bytes);
    tell(message->result, envelope);
}

/* ---- sending ---- */

/* A copy where there is room; to oneself always, unless another thread may take it. NULL: no memory. */
static envelope *keep(handle *handle, const mst_message *message, const envelope *sent, envelope *lent)
{
    mailbox *to = mailbox_of(handle->shared, message->destination);
    envelope *kept = lent;

    *lent = *sent;
    lent->lent = true;
    if (mailbox_has_room(to, handle->base.rank, message->out_bytes) ||
        (message->destination == handle->base.rank && !handle->base.threads_multiple)) {
        kept = malloc(sizeof *kept + message->out_bytes);
        if (!kept)
            return NULL;
        if (message->out_bytes)
            memcpy(kept + 1, message->out, message->out_bytes);
        *kept = *sent;
        kept->data = kept + 1;
        mailbox_weigh(to, kept, true);
    }
    mst_matching_keep(&to->matching, &kept->node);
    return kept;
}

/* *waits: it is lent, and is ours again when it is taken. */
static muster_status post(handle *handle, const mst_message *message, envelope *lent, bool *waits)
{
    shared_group *shared = handle->shared;
    envelope sent = { .node = { .source = handle->base.rank, .tag = message->send_tag },
                      .dtype = message->dtype,
                      .count = message->out_count,
                      .bytes = message->out_bytes,
                      .data = message->out };
    mst_match_node *found = mst_matching_arrive(&mailbox_of(shared, message->destination)->matching,
                                                sent.node.source, sent.node.tag);

    *waits = false;
    if (found) {
        receipt *receipt = (struct receipt *)found;

        receipt->matched = true;
        receipt->over = fits(shared, message->destination, &receipt->message, &sent);
        if (receipt->over)
            deliver(&receipt->message, &sent);
    } else {
        const envelope *kept = keep(handle, message, &sent, lent);

        if (!kept)
            return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a message of %zu bytes", message->out_bytes);
        *waits = kept == lent;
    }
    tell_all(shared);
    /* One that is buffered may not fit its receive: the next call tells. */
    return mailbox_has_room(mailbox_of(shared, message->destination), handle->base.rank, message->out_bytes)
               ? MUSTER_OK
               : explain(shared);
}

/* Until what was lent is ours again: taken, or, where the group is broken, never to be. */
static muster_status get_back(handle *handle, const mst_message *message, envelope *lent,
                              muster_status status)
{
    char doing[80];

    doing_of(message, true, doing, sizeof doing);
    if (status == MUSTER_OK)
        status = wait_for(handle, &(wait){ .doing = doing,
                                           .over = &lent->taken,
                                           .peer = message->destination,
                                           .limit_ns = handle->base.timeout_ns });
    if (!lent->taken)
        mst_matching_take(&mailbox_of(handle->shared, message->destination)->matching, &lent->node);
    return status;
}

/* ---- receiving ---- */

/* Takes a message that is there, or posts the receipt. */
static void begin_take(handle *handle, const mst_message *message, receipt *receipt)
{
    shared_group *shared = handle->shared;
    mailbox *mailbox = mailbox_of(shared, handle->base.rank);
    mst_match_node *found = mst_matching_find(&mailbox->matching, message->source, message->receive_tag);

    *receipt = (struct receipt){ .node = { .source = message->source, .tag = message->receive_tag },
                                 .message = *message,
                                 .matched = found != NULL };
    if (!found) {
        mst_matching_post(&mailbox->matching, &receipt->node);
        return;
    }
    if (!fits(shared, handle->base.rank, message, (envelope *)found))
        return;
    envelope *envelope = mailbox_take(mailbox, found);
    if (message->source == MUSTER_ANY_SOURCE)
        mst_matching_serve(&mailbox->matching, envelope->node.source);
    deliver(message, envelope);
    envelope->taken = true;
    if (!envelope->lent)
        free(envelope);
    receipt->over = true;
    tell_all(shared);
}

static muster_status take(handle *handle, const mst_message *message)
{
    receipt receipt;
    char doing[80];

    begin_take(handle, message, &receipt);
    doing_of(message, false, doing, sizeof doing);
    muster_status status = wait_for(handle, &(wait){ .doing = doing,
                                                     .over = &receipt.over,
                                                     .peer = message->source,
                                                     .receives = true,
                                                     .limit_ns = handle->base.timeout_ns });
    if (!receipt.matched)
        mst_matching_unpost(&mailbox_of(handle->shared, handle->base.rank)->matching, &receipt.node);
    return status;
}

/* ---- started messages ---- */

muster_status message_begin(handle *handle, started *started)
{
    const mst_message *message = &started->message;
    bool waits = false;

    muster_status status = explain(handle->shared);
    if (status == MUSTER_OK && message->sends) {
        status = post(handle, message, &started->lent, &waits);
        started->over = waits ? &started->lent.taken : NULL;
    } else if (status == MUSTER_OK && message->receives) {
        started->over = &started->receipt.over;
        begin_take(handle, message, &started->receipt);
    }
    return status;
}

void message_drop(handle *handle, started *started)
{
    shared_group *shared = handle->shared;
    const mst_message *message = &started->message;

    if (!started->over || *started->over)
        return;
    if (message->sends)
        mst_matching_take(&mailbox_of(shared, message->destination)->matching, &started->lent.node);
    else if (!started->receipt.matched)
        mst_matching_unpost(&mailbox_of(shared, handle->base.rank)->matching, &started->receipt.node);
}

wait message_wait(const started *started, char *doing, size_t bytes)
{
    static const bool over = true;
    const mst_message *message = &started->message;

    doing_of(message, message->sends, doing, bytes);
    return (wait){ .doing = doing,
                   .over = started->over ? started->over : &over,
                   .peer = message->sends ? message->destination : message->source,
                   .receives = message->receives,
                   .limit_ns = started->limit_ns };
}

/* ---- the calls ---- */

/* Also where it comes with a receive, if that gets something else. */
static bool would_nobody_receive(const handle *handle, const mst_message *message)
{
    int own = handle->base.rank;
    const mailbox *mailbox = mailbox_of(handle->shared, own);

    if (!message->sends || message->destination != own || handle->base.threads_multiple ||
        mailbox_has_room(mailbox, own, message->out_bytes) ||
        mst_matching_expects(&mailbox->matching, own, message->send_tag))
        return false;
    if (!message->receives || (message->source != own && message->source != MUSTER_ANY_SOURCE))
        return true;
    if (mst_matching_find(&mailbox->matching, message->source, message->receive_tag))
        return message->out_bytes >= MAILBOX_WEIGHT_MAX;
    return message->receive_tag != MUSTER_ANY_TAG && message->receive_tag != message->send_tag;
}

static muster_status exchange(handle *handle, const mst_message *message)
{
    const shared_group *shared = handle->shared;
    envelope lent;
    bool waits = false;

    muster_status status = explain(shared);
    if (status != MUSTER_OK)
        return status;
    if (would_nobody_receive(handle, message))
        return mst_fail(
            MUSTER_ERR_INVALID, "%s: %zu bytes to oneself do not fit into what is %sbuffered; %s",
            message->name, message->out_bytes, message->out_bytes < MAILBOX_WEIGHT_MAX ? "still " : "",
            message->out_bytes < MAILBOX_WEIGHT_MAX ? "receive first" : "start a receive for it first");
    if (message->sends)
        status = post(handle, message, &lent, &waits);
    if (status == MUSTER_OK && message->receives)
        status = take(handle, message);
    return waits ? get_back(handle, message, &lent, status) : status;
}

muster_status thread_message(muster_group *group, const mst_message *message)
{
    lock(handle_of(group));
    muster_status status = exchange(handle_of(group), message);
    unlock(handle_of(group));
    return in_group(group, status);
}

muster_status thread_probe(muster_group *group, int source, int tag, bool waits, bool *found,
                           muster_message *result)
{
    handle *handle = handle_of(group);

    lock(handle);
    mst_matching *matching = &mailbox_of(handle->shared, group->rank)->matching;
    muster_status status = explain(handle->shared);
    if (status == MUSTER_OK && waits)
        status = wait_for(handle, &(wait){ .doing = "probe",
                                           .matching = matching,
                                           .peer = source,
                                           .tag = tag,
                                           .receives = true,
                                           .limit_ns = group->timeout_ns });
    const mst_match_node *node = status == MUSTER_OK ? mst_matching_find(matching, source, tag) : NULL;
    if (node)
        tell(result, (const envelope *)node);
    *found = node != NULL;
    unlock(handle);
    return in_group(group, status);
}
