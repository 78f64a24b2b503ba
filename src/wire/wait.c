/* Waits of wait.h. */
#include "src/wire/wait.h"

#include <stdio.h>

#include "shm/port/os.h"
#include "src/pure/message.h"
#include "src/wire/arrive.h"
#include "src/wire/group.h"
#include "src/wire/move.h"

/* ---- looking ---- */

static void describe(const mst_wire_op *op, char *text, size_t bytes)
{
    const mst_message *message = &op->message;

    if (message->send_tag == MST_WIRE_TAG_SUBSETS)
        snprintf(text, bytes, "%s", message->name);
    else
        mst_message_describe(message->name, message->dtype,
                             op->sends ? message->out_count : message->in_count,
                             op->sends ? message->send_tag : message->receive_tag, text, bytes);
}

/* The member that is needed and has left, or, where any would do and all others have, the last; -1: none. */
static int find_lost(const mst_wire_group *group, int peer, bool receives)
{
    int last = -1;

    if (peer != MUSTER_ANY_SOURCE || !receives)
        return peer != group->base.rank && mst_wire_is_gone(group, peer) ? peer : -1;
    for (int rank = 0; rank < group->base.size; rank++) {
        if (rank == group->base.rank)
            continue;
        if (!mst_wire_is_gone(group, rank))
            return -1;
        last = rank;
    }
    return last;
}

static muster_status lose(mst_wire_group *group, int lost)
{
    char whom[MST_WIRE_NAME_BYTES];

    mst_wire_name(group, lost, whom);
    return mst_wire_break(
        group, lost, MUSTER_ERR_PEER_DIED, 0,
        "%s left the group (freed it, or its program ends) while another rank still needed it", whom);
}

static muster_status be_late(mst_wire_group *group, int peer, bool receives, const char *doing,
                             int64_t limit_ns)
{
    char whom[MST_WIRE_NAME_BYTES] = "any rank";

    if (peer != MUSTER_ANY_SOURCE)
        mst_wire_name(group, peer, whom);
    return mst_wire_break(group, peer, MUSTER_ERR_TIMED_OUT, limit_ns,
                          "rank %d waited %.3g s in %s for %s to %s", group->base.rank,
                          (double)limit_ns / MST_NS_PER_S, doing, whom, receives ? "send" : "receive");
}

muster_status mst_wire_look(mst_wire_op *op, mst_wire_pause *pause, int64_t limit_ns, bool *over)
{
    mst_wire_group *group = op->group;
    char doing[80];

    *over = op->over;
    muster_status status = op->over ? MUSTER_OK : mst_wire_explain(group);
    if (op->over || status != MUSTER_OK)
        return status;
    int lost = find_lost(group, op->peer, !op->sends);
    if (lost >= 0)
        return lose(group, lost);
    if (!pause || !mst_wire_pause_is_late(pause, limit_ns))
        return MUSTER_OK;
    describe(op, doing, sizeof doing);
    return be_late(group, op->peer, !op->sends, doing, limit_ns);
}

/* ---- waiting ---- */

static void ask(mst_wire_group *group, const char *doing)
{
    if (!group->base.interrupt || !group->base.interrupt(group->base.interrupt_arg))
        return;
    pthread_mutex_lock(&group->wire->lock);
    mst_wire_break(group, group->base.rank, MUSTER_ERR_ABORTED, 0, "rank %d was interrupted in %s",
                   group->base.rank, doing);
    pthread_mutex_unlock(&group->wire->lock);
}

/* Gives up the lock for a while. */
static void rest(mst_wire_group *group, mst_wire_pause *pause, const char *doing)
{
    mst_wire *wire = group->wire;
    bool moved;

    mst_wire_move(wire, &moved);
    group->waits++;
    wire->resting++;
    pthread_mutex_unlock(&wire->lock);
    if (mst_wire_pause_once(pause, moved))
        ask(group, doing);
    pthread_mutex_lock(&wire->lock);
    wire->resting--;
    group->waits--;
}

/* The interrupt functions of the groups, each once in a row. */
static void ask_each(const mst_wait_set *set)
{
    const muster_group *latest = NULL;

    for (size_t i = 0; i < set->count; i++) {
        muster_group *group = set->requests[i].group;

        if (!group || group == latest)
            continue;
        latest = group;
        ask(mst_wire_of(group), "wait");
    }
}

void mst_wire_rest(const mst_wait_set *set, mst_wire *wire, mst_wire_pause *pause)
{
    bool moved;

    mst_wire_move(wire, &moved);
    wire->resting++;
    pthread_mutex_unlock(&wire->lock);
    if (mst_wire_pause_once(pause, moved))
        ask_each(set);
    pthread_mutex_lock(&wire->lock);
    wire->resting--;
}

muster_status mst_wire_await(mst_wire_op *const *ops, int count, int64_t limit_ns)
{
    muster_status status = MUSTER_OK;
    mst_wire_pause pause;
    char doing[80];

    mst_wire_pause_begin(&pause);
    for (int i = 0; i < count && status == MUSTER_OK;) {
        bool over;

        status = mst_wire_look(ops[i], &pause, limit_ns, &over);
        if (over) {
            i++;
        } else if (status == MUSTER_OK) {
            describe(ops[i], doing, sizeof doing);
            rest(ops[i]->group, &pause, doing);
        }
    }
    return status;
}

muster_status mst_wire_await_message(mst_wire_group *group, int source, int tag)
{
    int64_t limit_ns = group->base.timeout_ns;
    muster_status status = mst_wire_explain(group);
    mst_wire_pause pause;

    mst_wire_pause_begin(&pause);
    while (status == MUSTER_OK && !mst_wire_probe(group, source, tag, NULL)) {
        int lost = find_lost(group, source, true);

        status = lost >= 0 ? lose(group, lost) : mst_wire_explain(group);
        if (status == MUSTER_OK && mst_wire_pause_is_late(&pause, limit_ns))
            status = be_late(group, source, true, "probe", limit_ns);
        if (status == MUSTER_OK)
            rest(group, &pause, "probe");
    }
    return status;
}
