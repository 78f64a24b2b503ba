/* The frames that this process sends, for post.h. */
#include "src/wire/post.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS_AT_ONCE (2 * MST_WIRE_SENDS_UNMOVED)

bool mst_wire_may_move(const mst_wire *wire)
{
    return !wire->stopped && (!wire->has_left || pthread_equal(wire->leaver, pthread_self())) &&
           wire->frames->methods->is_allowed(wire->frames);
}

/* ---- queues ---- */

static void append(mst_wire_queue *queue, mst_wire_sent *sent)
{
    sent->next = NULL;
    *(queue->first ? &queue->last->next : &queue->first) = sent;
    queue->last = sent;
}

static mst_wire_sent *take_first(mst_wire_queue *queue)
{
    mst_wire_sent *first = queue->first;

    queue->first = first->next;
    return first;
}

/* ---- failing ---- */

/* Those that can still be reached learn it now: this process may end without another call. */
static void break_group(mst_wire_group *group)
{
    mst_wire_reason *reason = &group->broken;

    if (reason->status != MUSTER_OK || group->closed)
        return;
    *reason = (mst_wire_reason){ .status = MUSTER_ERR_SYSTEM, .about = group->base.rank };
    snprintf(reason->text, sizeof reason->text, "rank %d reaches the others no more: %s", group->base.rank,
             group->wire->why);
    mst_wire_post_all(group, MST_WIRE_BROKEN, reason, sizeof *reason);
}

/* The first failure stays. */
static void __attribute__((format(printf, 2, 3))) fail(mst_wire *wire, const char *format, ...)
{
    va_list args;

    if (wire->why[0])
        return;
    va_start(args, format);
    vsnprintf(wire->why, sizeof wire->why, format, args);
    va_end(args);
    for (mst_wire_group *group = wire->groups; group; group = group->next)
        break_group(group);
}

static void fail_to_send(mst_wire *wire, int to, const char *why)
{
    fail(wire, "nothing can be sent to rank %d of the job: %.140s", to, why);
}

void mst_wire_be_damaged(mst_wire *wire, int from)
{
    fail(wire, "rank %d of the job has sent what is no frame of this muster; is another version there?",
         from);
}

/* ---- sending ---- */

static void send_unsent(mst_wire *wire)
{
    char why[MST_FRAMES_WHY_BYTES];

    while (wire->unsent.first && mst_wire_may_move(wire)) {
        mst_wire_sent *sent = take_first(&wire->unsent);
        int to = sent->to;

        if (wire->lost[to] || wire->dead[to]) { /* it may have died since */
            free(sent);
        } else if (wire->frames->methods->send(wire->frames, to, &sent->head, sizeof sent->head + sent->bytes,
                                               &sent->slot, why)) {
            if (!wire->sent[to].first)
                wire->sent_to[wire->sent_to_count++] = to;
            append(&wire->sent[to], sent);
        } else {
            wire->lost[to] = true;
            free(sent);
            fail_to_send(wire, to, why);
        }
    }
}

/* Whether members count on it that no such frame comes when this process has told that it has left. */
static bool is_for_members(mst_wire_kind kind)
{
    return kind < MST_WIRE_LEFT;
}

void mst_wire_post(mst_wire *wire, int to, const mst_wire_head *head, const void *data, size_t bytes)
{
    if (wire->stopped || wire->lost[to] || wire->dead[to] ||
        (wire->has_left && is_for_members((mst_wire_kind)head->kind)))
        return;
    mst_wire_sent *sent = malloc(sizeof *sent + bytes);
    if (!sent) {
        fail_to_send(wire, to, "no memory");
        return;
    }
    *sent = (mst_wire_sent){ .to = to, .bytes = bytes, .head = *head };
    if (bytes)
        memcpy(sent + 1, data, bytes);
    wire->parts[to] += head->kind == MST_WIRE_PART;
    append(&wire->unsent, sent);
    send_unsent(wire);
}

void mst_wire_post_to(mst_wire_group *group, int rank, mst_wire_head head, const void *data, size_t bytes)
{
    head.group = group->base.number;
    head.parent = group->parent;
    head.source = group->base.rank;
    mst_wire_post(group->wire, group->seats[rank], &head, data, bytes);
}

void mst_wire_post_all(mst_wire_group *group, mst_wire_kind kind, const void *data, size_t bytes)
{
    for (int rank = 0; rank < group->base.size; rank++)
        if (rank != group->base.rank)
            mst_wire_post_to(group, rank, (mst_wire_head){ .kind = kind }, data, bytes);
}

/* ---- what has been sent ---- */

/* However many there are to one process, few are looked at, from the oldest on; more than are sent until the
 * next time. */
static void reap_to(mst_wire *wire, int to)
{
    mst_wire_queue *queue = &wire->sent[to];
    mst_wire_sent *before = NULL;
    char why[MST_FRAMES_WHY_BYTES];

    for (int looks = 0; looks < LOOKS_AT_ONCE; looks++) {
        mst_wire_sent *sent = before ? before->next : queue->first;
        bool over = false;

        if (!sent)
            return;
        if (!wire->frames->methods->is_sent(wire->frames, sent->slot, &over, why)) {
            wire->lost[to] = true;
            fail_to_send(wire, to, why);
            return;
        }
        if (!over) {
            before = sent;
            continue;
        }
        *(before ? &before->next : &queue->first) = sent->next;
        if (queue->last == sent)
            queue->last = before;
        wire->parts[to] -= sent->head.kind == MST_WIRE_PART;
        free(sent);
    }
}

void mst_wire_reap(mst_wire *wire)
{
    send_unsent(wire);
    for (int i = 0; i < wire->sent_to_count;) {
        int to = wire->sent_to[i];

        if (!wire->lost[to])
            reap_to(wire, to);
        if (wire->sent[to].first && !wire->lost[to]) /* what is lost stays: it may still be read */
            i++;
        else
            wire->sent_to[i] = wire->sent_to[--wire->sent_to_count];
    }
}

bool mst_wire_is_all_sent(const mst_wire *wire)
{
    return !wire->unsent.first && wire->sent_to_count == 0;
}

/* ---- taking ---- */

bool mst_wire_take(mst_wire *wire, int *from, const void **bytes, size_t *count)
{
    char why[MST_FRAMES_WHY_BYTES];

    *bytes = NULL;
    if (!wire->why[0] && !wire->frames->methods->take(wire->frames, from, bytes, count, why)) {
        *bytes = NULL;
        fail(wire, "nothing can be received: %.150s", why);
    }
    return *bytes != NULL;
}
