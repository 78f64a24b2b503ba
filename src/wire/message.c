/* Blocking and started messages, for message.h. */
#include "src/wire/message.h"

#include <stdlib.h>

#include "src/wire/arrive.h"
#include "src/wire/group.h"
#include "src/wire/move.h"
#include "src/wire/oneself.h"
#include "src/wire/send.h"
#include "src/wire/wait.h"

static void lock(const mst_wire_group *group)
{
    pthread_mutex_lock(&group->wire->lock);
}

static void unlock(const mst_wire_group *group)
{
    pthread_mutex_unlock(&group->wire->lock);
}

/* ---- one direction ---- */

static muster_status begin(mst_wire_op *op, bool sends)
{
    op->sends = sends;
    if (sends)
        return mst_wire_send(op);
    if (op->message.source == MUSTER_ANY_SOURCE)
        mst_wire_move_all(op->group->wire);
    mst_wire_receive(op);
    return MUSTER_OK;
}

/* Moves nothing: what moves frames may give the CPU away where it finds nothing, and whoever waits will move.
 */
static muster_status enter(mst_wire_group *group)
{
    muster_status status = mst_wire_check_thread(group->wire);

    return status == MUSTER_OK ? mst_wire_explain(group) : status;
}

/* The receive first: it may make room for what goes to oneself, or get it. Nothing else comes in between. */
static muster_status begin_with_oneself(mst_wire_op *in, mst_wire_op *out)
{
    mst_wire_group *group = in->group;
    const mst_message *message = &in->message;

    if (message->receives && message->source == MUSTER_ANY_SOURCE)
        mst_wire_move_all(group->wire);
    muster_status status = mst_wire_check_to_oneself(group, message);
    if (status == MUSTER_OK && message->receives)
        mst_wire_receive(in);
    return status == MUSTER_OK ? begin(out, true) : status;
}

static muster_status begin_both(mst_wire_op *in, mst_wire_op *out)
{
    const mst_message *message = &in->message;
    muster_status status = MUSTER_OK;

    if (message->sends && message->destination == in->group->base.rank)
        return begin_with_oneself(in, out);
    if (message->sends)
        status = begin(out, true);
    if (status == MUSTER_OK && message->receives)
        status = begin(in, false);
    return status;
}

muster_status mst_wire_message(muster_group *of, const mst_message *message)
{
    mst_wire_group *group = mst_wire_of(of);
    mst_wire_op out = { .group = group, .message = *message }, in = out;
    mst_wire_op *ops[2];
    int count = 0;

    lock(group);
    muster_status status = enter(group);
    if (status == MUSTER_OK)
        status = begin_both(&in, &out);
    if (message->sends)
        ops[count++] = &out;
    if (message->receives)
        ops[count++] = &in;
    if (status == MUSTER_OK)
        status = mst_wire_await(ops, count, of->timeout_ns);
    for (int i = 0; i < count; i++)
        mst_wire_forget(ops[i]);
    unlock(group);
    return mst_wire_in_group(of, status);
}

/* ---- started ones ---- */

static mst_wire_op *find(mst_wire_group *group, uint64_t number)
{
    mst_match_node *node = mst_table_find(&group->names, mst_wire_high(number), mst_wire_low(number));

    return node ? (mst_wire_op *)((char *)node - offsetof(mst_wire_op, by_name)) : NULL;
}

static void drop(mst_wire_op *op)
{
    mst_wire_forget(op);
    mst_table_remove(&op->group->names, &op->by_name);
    free(op);
}

muster_status mst_wire_start(muster_group *of, muster_call_class call_class, const mst_message *message,
                             uint64_t *number)
{
    mst_wire_group *group = mst_wire_of(of);
    mst_wire_op *op = calloc(1, sizeof *op);

    if (!op)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a started message");
    op->group = group;
    op->message = *message;
    op->limit_ns = mst_started_limit_ns(of);
    lock(group);
    op->tested = group->wire->moves;
    muster_status status = enter(group);
    if (status == MUSTER_OK && (message->sends || message->receives))
        status = begin(op, message->sends);
    else
        op->over = true;
    if (status == MUSTER_OK) {
        op->number = *number = mst_started_number(++group->starts, call_class);
        op->pending = !op->over;
        group->wire->pending += op->pending;
        op->by_name.source = mst_wire_high(op->number);
        op->by_name.tag = mst_wire_low(op->number);
        mst_table_insert(&group->names, &op->by_name);
    } else {
        mst_wire_forget(op);
        free(op);
    }
    unlock(group);
    return mst_wire_in_group(of, status);
}

/* Takes it for one wait, test or cancellation. */
static muster_status take(mst_wire_group *group, uint64_t number, const void *taker, mst_wire_op **found)
{
    mst_wire_op *op = *found = find(group, number);

    if (!op)
        return mst_fail(MUSTER_ERR_INVALID,
                        "the request is not pending: its operation has been completed already");
    if (op->taken == taker)
        return mst_fail(MUSTER_ERR_INVALID, "the same operation is twice among the requests; give each once");
    if (op->taken)
        return mst_fail(MUSTER_ERR_BUSY, "another thread waits for this operation, or tests it");
    op->taken = taker;
    return MUSTER_OK;
}

/* A thread that may not move frames gets no results, but what has broken the group. */
static muster_status look_round(mst_wire_op *op, bool needed)
{
    mst_wire_group *group = op->group;
    bool moved;

    op->taken = NULL;
    muster_status status = mst_wire_explain(group);
    if (status != MUSTER_OK)
        return MUSTER_OK; /* the caller finds it again */
    status = mst_wire_check_thread(group->wire);
    if (status == MUSTER_OK && needed)
        mst_wire_move(group->wire, &moved);
    return status;
}

muster_status mst_wire_test(muster_group *of, uint64_t number, bool *over)
{
    mst_wire_group *group = mst_wire_of(of);
    mst_wire_op *op;

    *over = false;
    lock(group);
    muster_status status = take(group, number, over, &op);
    if (status == MUSTER_OK) /* once, when each of many is tested in turn */
        status = look_round(op, op->tested == group->wire->moves && !op->over);
    if (status == MUSTER_OK) {
        op->tested = group->wire->moves;
        status = mst_wire_explain(group);
        if (status == MUSTER_OK)
            status = mst_wire_look(op, NULL, 0, over);
        *over |= status != MUSTER_OK;
        if (*over)
            drop(op);
    }
    unlock(group);
    return mst_wire_in_group(of, status);
}

muster_status mst_wire_cancel(muster_group *of, uint64_t number, bool *over)
{
    mst_wire_group *group = mst_wire_of(of);
    mst_wire_op *op;

    *over = false;
    lock(group);
    muster_status status = take(group, number, over, &op);
    if (status == MUSTER_OK)
        status = look_round(op, true);
    if (status == MUSTER_OK) {
        status = mst_wire_explain(group);
        *over = status != MUSTER_OK || op->posted;
        if (*over)
            drop(op);
    }
    unlock(group);
    return mst_wire_in_group(of, status);
}

muster_status mst_wire_find_message(muster_group *of, int source, int tag, bool waits, bool *found,
                                    muster_message *result)
{
    mst_wire_group *group = mst_wire_of(of);

    lock(group);
    muster_status status = enter(group);
    if (status == MUSTER_OK)
        mst_wire_move_all(group->wire);
    if (status == MUSTER_OK && waits)
        status = mst_wire_await_message(group, source, tag);
    *found = status == MUSTER_OK && mst_wire_probe(group, source, tag, result);
    unlock(group);
    return mst_wire_in_group(of, status);
}

/* ---- waits for several ---- */

static mst_wire_op *op_of(const muster_request *request)
{
    return find(mst_wire_of(request->group), request->number);
}

/* Those of the first `count` that are still pending. */
static void let_go(const mst_wait_set *set, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (set->requests[i].group) {
            op_of(&set->requests[i])->taken = NULL;
            mst_wire_of(set->requests[i].group)->waits--;
        }
}

/* With the lock. *found: one of the groups. */
static muster_status take_each(const mst_wait_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        mst_wire_op *op;

        if (!set->requests[i].group)
            continue;
        muster_status status = take(mst_wire_of(set->requests[i].group), set->requests[i].number, set, &op);
        if (status == MUSTER_OK) {
            mst_wire_of(set->requests[i].group)->waits++;
            continue;
        }
        let_go(set, i);
        return status;
    }
    return MUSTER_OK;
}

static muster_status complete(muster_request *request, muster_status status)
{
    mst_wire_in_group(request->group, status);
    mst_wire_of(request->group)->waits--;
    drop(op_of(request));
    mst_request_over(request);
    return status;
}

/* Looks at those that may be the next to end: the first pending one, or each. *index: the one that has ended,
 * or the count. *next: the first pending one; before that none is. */
static muster_status look_at_each(const mst_wait_set *set, mst_wire_pause *pause, size_t *index, size_t *next)
{
    size_t from = *next;

    *index = *next = set->count;
    for (size_t i = from; i < set->count && (!set->all || *next == set->count); i++) {
        mst_wire_op *op = set->requests[i].group ? op_of(&set->requests[i]) : NULL;
        bool over;

        if (!op)
            continue;
        *next = *next < i ? *next : i;
        muster_status status =
            mst_wire_look(op, pause, set->timeout_ns ? set->timeout_ns : op->limit_ns, &over);
        if (over || status != MUSTER_OK) {
            *index = i;
            return status;
        }
    }
    return MUSTER_OK;
}

/* A group that was broken before gives no results any more. */
static muster_status find_broken(const mst_wait_set *set, size_t *index)
{
    for (size_t i = 0; i < set->count; i++) {
        muster_status status =
            set->requests[i].group ? mst_wire_explain(mst_wire_of(set->requests[i].group)) : MUSTER_OK;

        if (status != MUSTER_OK) {
            *index = i;
            return status;
        }
    }
    return MUSTER_OK;
}

static void end_broken(mst_wait_set *set)
{
    mst_error_copy first;

    mst_error_keep(&first);
    for (size_t i = 0; i < set->count; i++)
        if (set->requests[i].group && mst_wire_explain(mst_wire_of(set->requests[i].group)) != MUSTER_OK)
            complete(&set->requests[i], MUSTER_OK);
    mst_error_again(&first);
}

static muster_status wait_for_each(mst_wait_set *set, mst_wire *wire, size_t *index)
{
    mst_wire_pause pause;
    size_t found, next = 0;

    muster_status status = find_broken(set, &found);
    mst_wire_pause_begin(&pause);
    if (status == MUSTER_OK) {
        status = mst_wire_check_thread(wire);
        if (status != MUSTER_OK)
            return status;
        status = look_at_each(set, &pause, &found, &next);
    }
    while (next < set->count) {
        if (found < set->count) {
            *index = found;
            status = complete(&set->requests[found], status);
            if (status != MUSTER_OK && set->all)
                end_broken(set);
            if (status != MUSTER_OK || !set->all)
                return status;
        } else {
            mst_wire_rest(set, wire, &pause);
        }
        status = look_at_each(set, &pause, &found, &next);
    }
    return MUSTER_OK;
}

muster_status mst_wire_wait(mst_wait_set *set, size_t *index)
{
    const mst_wire_group *any = NULL;

    *index = set->count;
    for (size_t i = 0; i < set->count && !any; i++)
        any = set->requests[i].group ? mst_wire_of(set->requests[i].group) : NULL;
    if (!any)
        return MUSTER_OK;
    mst_wire *wire = any->wire;
    pthread_mutex_lock(&wire->lock);
    muster_status status = take_each(set);
    if (status == MUSTER_OK) {
        status = wait_for_each(set, wire, index);
        let_go(set, set->count);
    }
    pthread_mutex_unlock(&wire->lock);
    return status;
}
