/*
 * Sending and receiving messages, as described in exchange.h.
 *
 * A message is one entry of the channel, or as many parts as needed; the envelope of the first describes what
 * was sent. Each call moves what can be moved now in its one or two directions, then sleeps on this rank's
 * doorbell until one of them can continue; as sendrecv always serves both, no pattern of sendrecv deadlocks.
 * A large message in an arena buffer is sent as a view, which the receiver reads without staging, if the
 * receiver already waits for it or the channel could not buffer it anyway; if the receiver's buffer is an
 * arena buffer too, the sender writes half of it. Cost: a small message (40 bytes) is one line; others take
 * two copies, which overlap from part to part; from an arena buffer one copy and a line back.
 */
#include "src/onehost/exchange.h"

#include <stdio.h>
#include <string.h>

#include "shm/base/error.h"
#include "src/onehost/broken.h"
#include "src/onehost/showing.h"
#include "src/pure/dtype.h"

#define BUFFERED_BYTES (64 * 1024) /* minimum that a channel buffers, as the header promises */

static bool is_done(const mst_transfer *transfer)
{
    return !transfer->active || (transfer->begun && transfer->done == transfer->total);
}

static size_t next_part(const mst_transfer *transfer)
{
    size_t left = transfer->total - transfer->done;

    return left < MST_PART_BYTES ? left : MST_PART_BYTES;
}

/* Copies into an arena buffer, which a peer may have read, or may read next: as for staging, with
 * non-temporal stores if these are faster. */
static void copy_within_arena(const mst_group *group, mst_channel_end *end, void *to, const void *from,
                              size_t bytes)
{
    if (mst_store_begin(&end->view_stores, bytes))
        group->kernels->stream(to, from, bytes);
    else
        memcpy(to, from, bytes);
    mst_store_end(&end->view_stores, bytes);
}

/* ---- sending ---- */

/* The arena offset of a message that should be sent as a view; 0: it should be copied. */
static uint64_t view_offset(const mst_exchange *exchange)
{
    const mst_transfer *out = &exchange->out;
    const mst_group *group = exchange->group;

    if (out->total < group->tuning.view_bytes_min || out->peer == group->base.rank)
        return 0;
    uint64_t offset = mst_group_heap_offset(group, out->bytes, out->total);
    if (offset && (out->total > BUFFERED_BYTES || mst_channel_is_awaited(&group->channels, out->peer)))
        return offset;
    return 0;
}

static mst_flow put_first(mst_exchange *exchange)
{
    mst_transfer *out = &exchange->out;
    mst_channels *channels = &exchange->group->channels;
    uint64_t offset = view_offset(exchange);
    mst_envelope envelope = { offset ? MST_ENTRY_VIEW : MST_ENTRY_MESSAGE, (uint16_t)exchange->message->dtype,
                              exchange->message->out_count };
    size_t part = next_part(out);

    mst_flow flow = offset ? mst_channel_put(channels, out->peer, &envelope, &offset, sizeof offset)
                           : mst_channel_put(channels, out->peer, &envelope, out->bytes, part);
    if (flow != MST_FLOW_OK)
        return flow;
    out->begun = true;
    out->viewed = offset != 0;
    out->done = offset ? 0 : part;
    return MST_FLOW_OK;
}

/* Of a view between two arena buffers the receiver reads this much, and the sender writes the rest. */
static size_t readers_share(const mst_transfer *transfer)
{
    return transfer->total / 2 / MST_ENTRY_UNIT * MST_ENTRY_UNIT;
}

/* A view is being read: writes our share of it if the receiver wants that, and checks whether all is done.
 * The receiver posts its wish before it consumes the view, so "consumed" is checked first. */
static mst_flow help_reader(mst_exchange *exchange)
{
    mst_transfer *out = &exchange->out;
    mst_channels *channels = &exchange->group->channels;
    mst_envelope envelope = { MST_ENTRY_WRITTEN, (uint16_t)exchange->message->dtype,
                              exchange->message->out_count };
    size_t share = readers_share(out);
    void *buffer;

    mst_flow taken = mst_channel_is_taken(channels, out->peer);
    mst_flow wanted = mst_channel_wants(channels, out->peer, out->total, &buffer);
    if (wanted == MST_FLOW_OK) {
        copy_within_arena(exchange->group, &channels->outgoing[out->peer], (unsigned char *)buffer + share,
                          out->bytes + share, out->total - share);
        /* There is space: the receiver has consumed everything up to the view. */
        return mst_channel_put(channels, out->peer, &envelope, NULL, 0);
    }
    if (wanted == MST_FLOW_NOT_NOW && taken == MST_FLOW_OK)
        out->done = out->total;
    return wanted == MST_FLOW_DAMAGED ? wanted : taken;
}

static mst_flow put_part(mst_exchange *exchange)
{
    mst_transfer *out = &exchange->out;
    mst_envelope envelope = { MST_ENTRY_PART, (uint16_t)exchange->message->dtype, out->done };
    size_t part = next_part(out);

    mst_flow flow =
        mst_channel_put(&exchange->group->channels, out->peer, &envelope, out->bytes + out->done, part);
    if (flow == MST_FLOW_OK)
        out->done += part;
    return flow;
}

static mst_flow push(mst_exchange *exchange)
{
    mst_transfer *out = &exchange->out;
    mst_flow flow = MST_FLOW_OK;

    while (flow == MST_FLOW_OK && !is_done(out)) {
        if (!out->begun) {
            flow = put_first(exchange);
        } else if (out->viewed) {
            flow = help_reader(exchange);
        } else {
            flow = put_part(exchange);
        }
    }
    return flow;
}

static mst_flow can_push(const mst_exchange *exchange)
{
    const mst_transfer *out = &exchange->out;
    mst_channels *channels = &exchange->group->channels;
    void *buffer;

    if (out->viewed && mst_channel_wants(channels, out->peer, out->total, &buffer) != MST_FLOW_NOT_NOW)
        return MST_FLOW_OK;
    if (out->viewed)
        return mst_channel_is_taken(channels, out->peer);
    return mst_channel_has_room(channels, out->peer, next_part(out));
}

/* ---- receiving ---- */

static muster_status check_envelope(mst_exchange *exchange, const mst_envelope *envelope)
{
    const mst_transfer *in = &exchange->in;

    bool goes_on = in->viewed ? envelope->kind == MST_ENTRY_WRITTEN
                              : envelope->kind == MST_ENTRY_PART && envelope->count == in->done;
    bool begins = envelope->kind == MST_ENTRY_MESSAGE || envelope->kind == MST_ENTRY_VIEW;

    if (in->begun ? !goes_on : !begins)
        return mst_group_poison(
            exchange->group, MST_POISON_DAMAGE,
            "rank %d found no message where one from rank %d should begin or continue: the arena is damaged",
            exchange->group->base.rank, in->peer);
    if (in->begun || (envelope->count == exchange->message->in_count &&
                      envelope->tag == (uint16_t)exchange->message->dtype))
        return MUSTER_OK;
    const char *sent = muster_dtype_name((muster_dtype)envelope->tag);
    return mst_group_poison(exchange->group, MST_POISON_MISMATCH,
                            "rank %d expected a message of %s x %zu from rank %d, which sent %s x %llu",
                            exchange->group->base.rank, muster_dtype_name(exchange->message->dtype),
                            exchange->message->in_count, in->peer, sent ? sent : "?",
                            (unsigned long long)envelope->count);
}

static muster_status damaged(mst_exchange *exchange, int peer)
{
    return mst_group_poison(exchange->group, MST_POISON_DAMAGE,
                            "rank %d found an impossible position in the channel with rank %d: the arena is "
                            "damaged",
                            exchange->group->base.rank, peer);
}

/* Posts that we wait, and the buffer. Once per message: the sender may be reading it. */
static void post(mst_exchange *exchange)
{
    mst_transfer *in = &exchange->in;
    const mst_group *group = exchange->group;

    if (!in->posted && in->total >= group->tuning.view_bytes_min)
        in->posted = mst_channel_post(&exchange->group->channels, in->peer,
                                      mst_group_heap_offset(group, in->bytes, in->total), in->total);
}

static muster_status take_view(mst_exchange *exchange)
{
    mst_transfer *in = &exchange->in;
    mst_group *group = exchange->group;
    bool shared = mst_group_heap_offset(group, in->bytes, in->total) != 0;

    const void *from = mst_channel_view(&group->channels, in->peer, in->total);
    if (!from)
        return damaged(exchange, in->peer);
    in->begun = in->viewed = true;
    in->done = shared ? readers_share(in) : in->total;
    if (shared)
        post(exchange); /* in case the sender does not know yet */
    if (shared)
        copy_within_arena(group, &group->channels.incoming[in->peer], in->bytes, from, in->done);
    else
        memcpy(in->bytes, from, in->done);
    mst_channel_take(&group->channels, in->peer, NULL, sizeof(uint64_t), true);
    return MUSTER_OK;
}

static muster_status take(mst_exchange *exchange, const mst_envelope *envelope)
{
    mst_transfer *in = &exchange->in;
    mst_channels *channels = &exchange->group->channels;
    size_t part = next_part(in);

    if (envelope->kind == MST_ENTRY_VIEW)
        return take_view(exchange);
    if (envelope->kind == MST_ENTRY_WRITTEN) {
        mst_channel_take(channels, in->peer, NULL, 0, true);
        in->done = in->total;
        return MUSTER_OK;
    }
    mst_channel_take(channels, in->peer, in->bytes + in->done, part, in->peer == exchange->group->base.rank);
    in->begun = true;
    in->done += part;
    return MUSTER_OK;
}

static muster_status pull(mst_exchange *exchange)
{
    mst_transfer *in = &exchange->in;
    muster_status status = MUSTER_OK;

    while (status == MUSTER_OK && !is_done(in)) {
        mst_envelope envelope;
        mst_flow flow = mst_channel_look(&exchange->group->channels, in->peer, &envelope);

        if (flow == MST_FLOW_DAMAGED)
            return damaged(exchange, in->peer);
        if (flow == MST_FLOW_NOT_NOW)
            return MUSTER_OK;
        status = check_envelope(exchange, &envelope);
        if (status == MUSTER_OK)
            status = take(exchange, &envelope);
    }
    return status;
}

static mst_flow can_pull(const mst_exchange *exchange)
{
    mst_envelope envelope;

    return mst_channel_look(&exchange->group->channels, exchange->in.peer, &envelope);
}

static muster_status progress(mst_exchange *exchange)
{
    if (push(exchange) == MST_FLOW_DAMAGED)
        return damaged(exchange, exchange->out.peer);
    return pull(exchange);
}

/* ---- waiting ---- */

static bool can_go_on(const void *arg)
{
    const mst_exchange *waiting = arg;

    return (!is_done(&waiting->out) && can_push(waiting) != MST_FLOW_NOT_NOW) ||
           (!is_done(&waiting->in) && can_pull(waiting) != MST_FLOW_NOT_NOW);
}

static void describe(const void *arg, char *text, size_t bytes)
{
    const mst_exchange *waiting = arg;

    snprintf(text, bytes, "%s (%s x %zu)", waiting->message->name, muster_dtype_name(waiting->message->dtype),
             is_done(&waiting->in) ? waiting->message->out_count : waiting->message->in_count);
}

/* The rank that must receive, and the rank that must send, for the call to continue; -1: none any more. */
static void find_peers(const void *arg, int peers[2])
{
    const mst_exchange *waiting = arg;

    peers[0] = is_done(&waiting->out) ? -1 : waiting->out.peer;
    peers[1] = is_done(&waiting->in) ? -1 : waiting->in.peer;
}

static muster_status wait_failed(mst_exchange *exchange, mst_wait_result result)
{
    bool receiving = !is_done(&exchange->in);
    const mst_transfer *late = receiving ? &exchange->in : &exchange->out;
    char doing[80], missing[32];

    describe(exchange, doing, sizeof doing);
    snprintf(missing, sizeof missing, "rank %d to %s", late->peer, receiving ? "send" : "receive");
    return mst_group_wait_failed(exchange->group, result, doing, missing);
}

static mst_doing doing_of(const mst_exchange *exchange, bool out)
{
    bool both = exchange->out.active && exchange->in.active;

    return (mst_doing){ .kind = both  ? MST_DOING_SENDRECV
                                : out ? MST_DOING_SEND
                                      : MST_DOING_RECEIVE,
                        .dtype = exchange->message->dtype,
                        .peer = out ? exchange->out.peer : exchange->in.peer,
                        .count = out ? exchange->message->out_count : exchange->message->in_count,
                        .operation = exchange->group->messages[out ? 0 : 1] };
}

/* Publishes the activity for observers outside the job, once it is clear that we wait. */
static void show(mst_exchange *exchange)
{
    mst_group *group = exchange->group;

    exchange->out.shown = !is_done(&exchange->out);
    exchange->in.shown = !is_done(&exchange->in);
    if (exchange->out.shown) {
        mst_doing sending = doing_of(exchange, true);

        mst_group_show(group, MUSTER_CALL_SEND, sending.operation, &sending);
    }
    if (exchange->in.shown) {
        mst_doing receiving = doing_of(exchange, false);

        mst_group_show(group, MUSTER_CALL_RECEIVE, receiving.operation, &receiving);
    }
}

/* A direction with an activity is recorded when that ends; the other one here. */
static void record_direction(mst_exchange *exchange, bool out, const mst_waiter *waiter)
{
    const mst_transfer *transfer = out ? &exchange->out : &exchange->in;
    muster_call_class class = out ? MUSTER_CALL_SEND : MUSTER_CALL_RECEIVE;

    if (transfer->shown) {
        mst_group_arrived(exchange->group, class, waiter);
    } else if (transfer->active) {
        mst_doing doing = doing_of(exchange, out);

        mst_group_record(exchange->group, class, &doing);
    }
}

static void tell_entered(const mst_exchange *exchange)
{
    char text[80];

    describe(exchange, text, sizeof text);
    mst_log_line(exchange->group->base.log, MUSTER_LOG_DEBUG, "%s with rank %d, in a group of %d", text,
                 exchange->out.active ? exchange->out.peer : exchange->in.peer, exchange->group->base.size);
}

static void begin(mst_exchange *exchange, mst_waiter *waiter)
{
    static const mst_wait_kind kind = { .describe = describe, .find_peers = find_peers, .may_rest = true };

    if (mst_log_wanted(exchange->group->base.log, MUSTER_LOG_DEBUG))
        tell_entered(exchange);
    mst_group_begin(exchange->group);
    if (exchange->out.active) /* the other direction's counter may be another thread's */
        exchange->group->messages[0]++;
    if (exchange->in.active)
        exchange->group->messages[1]++;
    waiter->deadline.limit_ns = exchange->group->base.timeout_ns;
    mst_deadline_begin(&waiter->deadline);
    waiter->waited_ns = 0;
    exchange->waiting = (mst_waiting){ &kind, exchange->group, exchange };
    waiter->watch = mst_waiting_watch(&exchange->waiting);
}

muster_status mst_exchange_run(mst_exchange *exchange)
{
    mst_group *group = exchange->group;
    mst_waiter *waiter = exchange->in.active ? &group->receive_waiter : &group->send_waiter;
    mst_eventcount *doorbell = &group->subarena->cells[group->base.rank]->doorbell;

    begin(exchange, waiter);
    for (bool shown = false;; shown = true) {
        muster_status status = progress(exchange);
        if (status != MUSTER_OK)
            return status;
        if (is_done(&exchange->out) && is_done(&exchange->in)) {
            record_direction(exchange, true, waiter);
            record_direction(exchange, false, waiter);
            if (exchange->in.active)
                mst_group_end(group, exchange->in.bytes, exchange->in.total);
            return MUSTER_OK;
        }
        if (!exchange->in.begun)
            post(exchange);
        if (!shown)
            show(exchange);
        mst_wait_result result =
            mst_wait_until(waiter, mst_eventcount_parking(doorbell), can_go_on, exchange, -1);
        if (result != MST_WAIT_READY)
            return wait_failed(exchange, result);
    }
}
