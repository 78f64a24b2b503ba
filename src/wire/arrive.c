/* Matching of arrive.h, and what each kind of frame does. */
#include "src/wire/arrive.h"

#include <stdlib.h>
#include <string.h>

#include "src/pure/message.h"
#include "src/wire/early.h"
#include "src/wire/group.h"
#include "src/wire/offers.h"
#include "src/wire/parts.h"
#include "src/wire/post.h"

/* ---- taking back ---- */

static void no_longer_post(mst_wire_op *op)
{
    op->posted = false;
    mst_wire_count_wanted(op->group, op->message.source, -1);
}

void mst_wire_forget(mst_wire_op *op)
{
    if (op->posted) {
        mst_matching_unpost(&op->group->matching, &op->node);
        no_longer_post(op);
    }
    mst_wire_lose_id(op);
    mst_wire_unlist(op);
    mst_wire_no_longer_pending(op);
}

/* ---- receives ---- */

/* Otherwise the group is broken. */
static bool fits(const mst_wire_op *op, int source, int tag, int32_t dtype, size_t bytes)
{
    const mst_message *message = &op->message;
    bool exact = !message->result;
    size_t count = bytes / muster_dtype_size((muster_dtype)dtype);

    if ((dtype == (int32_t)message->dtype || count == 0) && count <= message->in_count &&
        (!exact || count == message->in_count))
        return true;
    mst_wire_break_pair(
        op->group, source, op->group->base.rank,
        "rank %d expected a message of %s x %s%zu from rank %d, which sent %s x %zu with tag %d",
        op->group->base.rank, muster_dtype_name(message->dtype), exact ? "" : "up to ", message->in_count,
        source, muster_dtype_name((muster_dtype)dtype), count, tag);
    return false;
}

static void end(mst_wire_op *op)
{
    mst_wire_lose_id(op);
    mst_message_tell(op->message.result, op->peer, op->tag, (muster_dtype)op->dtype, op->bytes);
    mst_wire_end(op);
}

/* Returns the credit that the message has spent. */
static void give_back(mst_wire_group *group, int source, size_t bytes)
{
    if (source == group->base.rank) {
        group->spent[source] -= mst_wire_credit_of(bytes);
        return;
    }
    group->owed[source] += mst_wire_credit_of(bytes);
    if (group->owed[source] < MST_WIRE_OWED_MAX)
        return;
    mst_wire_post_to(group, source, (mst_wire_head){ .kind = MST_WIRE_CREDIT, .bytes = group->owed[source] },
                     NULL, 0);
    group->kept[source] -= group->owed[source];
    group->owed[source] = 0;
}

/* The bytes of a message that this process has offered to itself; it is over then. */
static const void *take_own(mst_wire_group *group, uint64_t id)
{
    mst_wire_op *own = mst_wire_find_op(group, id, true);

    if (!own)
        return NULL;
    mst_wire_end(own);
    mst_wire_lose_id(own);
    return own->message.out;
}

/* The receive gets this message, which fits; data: NULL, it was offered. */
static void accept(mst_wire_op *op, const mst_wire_head *head, const void *data)
{
    bool any = op->peer == MUSTER_ANY_SOURCE;

    op->peer = head->source;
    op->tag = head->tag;
    op->dtype = head->dtype;
    op->bytes = (size_t)head->bytes;
    if (any)
        mst_matching_serve(&op->group->matching, head->source);
    bool own = !data && head->source == op->group->base.rank;
    if (own)
        data = take_own(op->group, head->id);
    if (data || own) {
        if (data && op->bytes)
            memcpy(op->message.in, data, op->bytes);
        end(op);
        return;
    }
    mst_wire_have_accepted(op->group, op->peer);
    mst_wire_identify(op);
    mst_wire_post_to(op->group, op->peer,
                     (mst_wire_head){ .kind = MST_WIRE_ACCEPT, .id = head->id, .bytes = op->id }, NULL, 0);
    if (op->bytes == 0)
        end(op); /* no part will come */
}

void mst_wire_receive(mst_wire_op *op)
{
    mst_wire_group *group = op->group;
    const mst_message *message = &op->message;
    mst_match_node *found = mst_matching_find(&group->matching, message->source, message->receive_tag);

    op->peer = message->source;
    op->node.source = message->source;
    op->node.tag = message->receive_tag;
    if (!found) {
        mst_matching_post(&group->matching, &op->node);
        op->posted = true;
        mst_wire_count_wanted(group, op->peer, 1);
        mst_wire_want(group, op->peer);
        return;
    }
    mst_wire_arrival *arrival = (mst_wire_arrival *)found;
    if (!fits(op, found->source, found->tag, arrival->dtype, arrival->bytes))
        return;
    mst_matching_take(&group->matching, found);
    if (!arrival->offered)
        give_back(group, found->source, arrival->bytes);
    accept(op,
           &(mst_wire_head){ .source = found->source,
                             .tag = found->tag,
                             .dtype = arrival->dtype,
                             .bytes = arrival->bytes,
                             .id = arrival->id },
           arrival->offered ? NULL : arrival->data);
    free(arrival);
}

bool mst_wire_probe(mst_wire_group *group, int source, int tag, muster_message *result)
{
    const mst_match_node *found = mst_matching_find(&group->matching, source, tag);
    const mst_wire_arrival *arrival = (const mst_wire_arrival *)found;

    if (found)
        mst_message_tell(result, found->source, found->tag, (muster_dtype)arrival->dtype, arrival->bytes);
    else
        mst_wire_want(group, source);
    return found != NULL;
}

/* ---- messages ---- */

/* Keeps a message that no receive matches; false: no memory. */
static bool keep(mst_wire_group *group, const mst_wire_head *head, const void *data)
{
    size_t bytes = data ? (size_t)head->bytes : 0;
    mst_wire_arrival *arrival = malloc(sizeof *arrival + bytes);

    if (!arrival)
        return false;
    *arrival = (mst_wire_arrival){ .node = { .source = head->source, .tag = head->tag },
                                   .dtype = head->dtype,
                                   .bytes = (size_t)head->bytes,
                                   .offered = !data,
                                   .id = head->id };
    if (bytes)
        memcpy(arrival->data, data, bytes);
    mst_matching_keep(&group->matching, &arrival->node);
    return true;
}

/* With its bytes, or, if data is NULL, offered. */
static bool arrive(mst_wire_group *group, const mst_wire_head *head, const void *data)
{
    mst_match_node *found = mst_matching_arrive(&group->matching, head->source, head->tag);

    if (!found) {
        if (data && head->source == group->base.rank)
            group->spent[head->source] += mst_wire_credit_of((size_t)head->bytes);
        return keep(group, head, data);
    }
    mst_wire_op *op = (mst_wire_op *)found;
    no_longer_post(op);
    if (!fits(op, head->source, head->tag, head->dtype, (size_t)head->bytes))
        return true;
    if (data && head->source != group->base.rank)
        give_back(group, head->source, (size_t)head->bytes);
    accept(op, head, data);
    return true;
}

bool mst_wire_arrive_own(mst_wire_op *op)
{
    static const char nothing;
    mst_wire_group *group = op->group;
    const mst_message *message = &op->message;
    mst_wire_head head = { .source = group->base.rank,
                           .tag = message->send_tag,
                           .dtype = (int32_t)message->dtype,
                           .bytes = message->out_bytes };
    bool at_once = mst_wire_has_room(group, head.source, message->out_bytes) ||
                   mst_matching_expects(&group->matching, head.source, head.tag);

    if (!at_once) {
        mst_wire_identify(op);
        head.id = op->id;
        return arrive(group, &head, NULL);
    }
    op->over = arrive(group, &head, message->out_bytes ? message->out : &nothing);
    return op->over;
}

/* ---- parts ---- */

static bool take_part(mst_wire_group *group, const mst_wire_head *head, const void *data, size_t bytes)
{
    mst_wire_op *op = mst_wire_find_op(group, head->id, false);

    if (!op)
        return true;
    if (op->peer != head->source || bytes == 0 || bytes > op->bytes - op->done)
        return false;
    memcpy((char *)op->message.in + op->done, data, bytes);
    op->done += bytes;
    if (op->done == op->bytes)
        end(op);
    return true;
}

/* ---- frames ---- */

static bool is_sound(const mst_wire_group *group, int from, const mst_wire_head *head, size_t bytes)
{
    if (head->source < 0 || head->source >= group->base.size || group->seats[head->source] != from)
        return false;
    if (head->kind != MST_WIRE_MESSAGE && head->kind != MST_WIRE_OFFER)
        return head->kind != MST_WIRE_BROKEN || bytes == sizeof(mst_wire_reason);
    size_t element = muster_dtype_size((muster_dtype)head->dtype);
    return element && head->bytes % element == 0 && head->bytes <= PTRDIFF_MAX && head->tag >= 0 &&
           (head->kind == MST_WIRE_OFFER || head->bytes == bytes);
}

/* A message that was sent at once. False: its sender has sent more of them than it may. */
static bool has_room_for(mst_wire_group *group, const mst_wire_head *head)
{
    size_t *kept = &group->kept[head->source], credit = mst_wire_credit_of((size_t)head->bytes);

    if (credit > MST_WIRE_CREDIT_MAX || *kept + credit > MST_WIRE_CREDIT_MAX)
        return false;
    *kept += credit;
    return true;
}

/* So many more may be offered to that member, or some messages go there at once again. */
static void make_room(mst_wire_group *group, int to, uint32_t offers)
{
    group->offers[to].may_go += offers;
    mst_wire_send_waiting(group, to);
}

typedef enum outcome { TAKEN, NO_MEMORY, UNSOUND } outcome;

static outcome act(mst_wire_group *group, const mst_wire_head *head, const void *data, size_t bytes)
{
    mst_wire_reason reason;

    switch (head->kind) {
    case MST_WIRE_MESSAGE:
        if (!has_room_for(group, head))
            return UNSOUND;
        return arrive(group, head, data) ? TAKEN : NO_MEMORY;
    case MST_WIRE_OFFER:
        if (!mst_wire_be_offered(group, head->source))
            return UNSOUND;
        if (!arrive(group, head, NULL))
            return NO_MEMORY;
        mst_wire_have_kept(group, head->source);
        return TAKEN;
    case MST_WIRE_ACCEPT:
        mst_wire_be_accepted(group, head);
        make_room(group, head->source, 1);
        return TAKEN;
    case MST_WIRE_WANTED:
        make_room(group, head->source, MST_WIRE_OFFERS_MAX);
        return TAKEN;
    case MST_WIRE_PART:
        return take_part(group, head, data, bytes) ? TAKEN : UNSOUND;
    case MST_WIRE_CREDIT:
        group->spent[head->source] -=
            head->bytes < group->spent[head->source] ? (size_t)head->bytes : group->spent[head->source];
        make_room(group, head->source, 0);
        return TAKEN;
    case MST_WIRE_BROKEN:
        memcpy(&reason, data, sizeof reason);
        mst_wire_told_broken(group, &reason);
        return TAKEN;
    default:
        return UNSOUND;
    }
}

static void refuse(mst_wire_group *group, int from)
{
    int sender = group->base.size - 1;

    while (sender >= 0 && group->seats[sender] != from)
        sender--;
    if (sender >= 0)
        mst_wire_break(group, sender, MUSTER_ERR_BAD_ARENA, 0,
                       "rank %d was sent by rank %d what is no frame of this muster, or may not come now",
                       group->base.rank, sender);
    else
        mst_wire_break(group, -1, MUSTER_ERR_BAD_ARENA, 0,
                       "rank %d was sent a frame by process %d of the job, which is no member",
                       group->base.rank, from);
}

static void arrive_for(mst_wire_group *group, int from, const mst_wire_head *head, const void *data,
                       size_t bytes)
{
    bool sound = is_sound(group, from, head, bytes);

    if (sound && head->kind == MST_WIRE_GONE) {
        mst_wire_group_gone(group, head->source); /* which may be its end */
        return;
    }
    if (group->closed || group->broken.status != MUSTER_OK)
        return;
    outcome outcome = sound ? act(group, head, data, bytes) : UNSOUND;
    if (outcome == UNSOUND)
        refuse(group, from);
    else if (outcome == NO_MEMORY)
        mst_wire_break(group, group->base.rank, MUSTER_ERR_NO_MEMORY, 0,
                       "rank %d has no memory for what it is sent", group->base.rank);
}

void mst_wire_arrive_early(mst_wire_group *group)
{
    mst_wire *wire = group->wire;
    uint64_t number = group->base.number;
    mst_wire_early *at;

    while ((at = mst_wire_take_early(wire, number)) != NULL) {
        mst_wire_group *found = mst_wire_group_find(wire, number); /* it may have been its last one */

        if (found)
            arrive_for(found, at->from, &at->head, at + 1, at->count);
        free(at);
    }
}

/* What a process says of its end. */
static void tell(mst_wire *wire, int from, mst_wire_kind kind)
{
    if (kind == MST_WIRE_LEFT && !wire->left[from]) {
        wire->left[from] = true;
        wire->left_count++;
    } else if (kind == MST_WIRE_READY && !wire->ready[from]) {
        wire->ready[from] = true;
        wire->ready_count++;
    } else if (kind == MST_WIRE_GIVES_UP) {
        wire->is_given_up = true;
    } else if (kind == MST_WIRE_ENDS && from == 0) {
        wire->all_end = true;
    }
}

void mst_wire_arrive(mst_wire *wire, int from, const void *frame, size_t count)
{
    mst_wire_head head;

    if (from < 0 || from >= wire->frames->size)
        return;
    if (count < sizeof head) {
        mst_wire_be_damaged(wire, from);
        return;
    }
    memcpy(&head, frame, sizeof head);
    const void *data = (const char *)frame + sizeof head;
    size_t bytes = count - sizeof head;
    if (head.kind >= MST_WIRE_LEFT && head.kind <= MST_WIRE_ENDS) {
        tell(wire, from, (mst_wire_kind)head.kind);
        return;
    }
    mst_wire_group *group = mst_wire_group_find(wire, head.group);
    if (group)
        arrive_for(group, from, &head, data, bytes);
    else if (!mst_wire_keep_early(wire, from, &head, data, bytes))
        mst_wire_be_damaged(wire, from);
}
