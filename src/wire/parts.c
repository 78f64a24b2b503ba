/* Large messages, for parts.h. */
#include "src/wire/parts.h"

#include "src/wire/post.h"

/* ---- operations with a number ---- */

void mst_wire_identify(mst_wire_op *op)
{
    mst_wire *wire = op->group->wire;

    op->id = ++wire->ids;
    op->by_id.source = mst_wire_high(op->id);
    op->by_id.tag = mst_wire_low(op->id);
    mst_table_insert(&wire->by_id, &op->by_id);
}

void mst_wire_lose_id(mst_wire_op *op)
{
    if (op->id)
        mst_table_remove(&op->group->wire->by_id, &op->by_id);
    op->id = 0;
}

mst_wire_op *mst_wire_find_op(const mst_wire_group *group, uint64_t id, bool sends)
{
    mst_match_node *node = mst_table_find(&group->wire->by_id, mst_wire_high(id), mst_wire_low(id));
    mst_wire_op *op = node ? (mst_wire_op *)((char *)node - offsetof(mst_wire_op, by_id)) : NULL;

    return op && op->id == id && op->group == group && op->sends == sends ? op : NULL;
}

/* ---- lists ---- */

void mst_wire_list(mst_wire_ops *list, mst_wire_op *op)
{
    op->next = NULL;
    op->before = list->last;
    *(list->last ? &list->last->next : &list->first) = op;
    list->last = op;
    op->list = list;
}

void mst_wire_unlist(mst_wire_op *op)
{
    mst_wire_ops *list = op->list;

    if (!list)
        return;
    *(op->before ? &op->before->next : &list->first) = op->next;
    *(op->next ? &op->next->before : &list->last) = op->before;
    op->list = NULL;
}

/* ---- what has been accepted ---- */

void mst_wire_send_parts(mst_wire *wire)
{
    for (mst_wire_op *op = wire->moving.first, *next; op; op = next) {
        int to = op->group->seats[op->peer];

        next = op->next;
        while (!op->over && wire->parts[to] < MST_WIRE_PARTS && !wire->why[0] && !wire->has_left) {
            size_t left = op->message.out_bytes - op->done;
            size_t bytes = left < MST_WIRE_PART_BYTES ? left : MST_WIRE_PART_BYTES;

            mst_wire_post_to(op->group, op->peer,
                             (mst_wire_head){ .kind = MST_WIRE_PART, .id = op->their_id },
                             (const char *)op->message.out + op->done, bytes);
            op->done += bytes;
            op->over = op->done == op->message.out_bytes;
        }
        if (op->over) {
            mst_wire_no_longer_pending(op);
            mst_wire_unlist(op);
            mst_wire_lose_id(op);
        }
    }
}

void mst_wire_be_accepted(mst_wire_group *group, const mst_wire_head *head)
{
    mst_wire_op *op = mst_wire_find_op(group, head->id, true);

    if (!op || op->list || op->peer != head->source)
        return;
    if (op->message.out_bytes == 0) {
        mst_wire_end(op);
        mst_wire_lose_id(op);
        return;
    }
    op->their_id = head->bytes;
    mst_wire_list(&group->wire->moving, op);
}
