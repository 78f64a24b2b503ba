/* The frames that this process sends, for post.h. */
#include "src/wire/post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stop(mst_wire *wire, int to, const char *why)
{
    if (wire->why[0])
        return;
    if (to >= 0)
        snprintf(wire->why, sizeof wire->why, "nothing can be sent to rank %d of the job: %.140s", to, why);
    else
        snprintf(wire->why, sizeof wire->why, "nothing can be received: %.150s", why);
}

void mst_wire_post(mst_wire *wire, int to, const mst_wire_head *head, const void *data, size_t bytes)
{
    char why[MST_FRAMES_WHY_BYTES] = "no memory";

    if (wire->why[0])
        return;
    mst_wire_sent *sent = malloc(sizeof *sent + bytes);
    if (!sent) {
        stop(wire, to, why);
        return;
    }
    *sent = (mst_wire_sent){ .next = wire->sent, .to = to, .is_part = head->kind == MST_WIRE_PART };
    sent->head = *head;
    if (bytes)
        memcpy(sent + 1, data, bytes);
    if (!wire->frames->methods->send(wire->frames, to, &sent->head, sizeof sent->head + bytes, &sent->slot,
                                     why)) {
        stop(wire, to, why);
        free(sent);
        return;
    }
    wire->sent = sent;
    wire->parts[to] += sent->is_part;
}

void mst_wire_post_to(mst_wire_group *group, int rank, mst_wire_head head, const void *data, size_t bytes)
{
    head.group = group->base.number;
    head.source = group->base.rank;
    mst_wire_post(group->wire, group->seats[rank], &head, data, bytes);
}

void mst_wire_post_all(mst_wire_group *group, mst_wire_kind kind, const void *data, size_t bytes)
{
    for (int rank = 0; rank < group->base.size; rank++)
        if (rank != group->base.rank)
            mst_wire_post_to(group, rank, (mst_wire_head){ .kind = kind }, data, bytes);
}

void mst_wire_reap(mst_wire *wire)
{
    char why[MST_FRAMES_WHY_BYTES];

    for (mst_wire_sent **at = &wire->sent; *at && !wire->why[0];) {
        mst_wire_sent *sent = *at;
        bool over = false;

        if (!wire->frames->methods->is_sent(wire->frames, sent->slot, &over, why))
            stop(wire, sent->to, why);
        if (!over) {
            at = &sent->next;
            continue;
        }
        wire->parts[sent->to] -= sent->is_part;
        *at = sent->next;
        free(sent);
    }
}

bool mst_wire_take(mst_wire *wire, int *from, const void **bytes, size_t *count)
{
    char why[MST_FRAMES_WHY_BYTES];

    *bytes = NULL;
    if (!wire->why[0] && !wire->frames->methods->take(wire->frames, from, bytes, count, why)) {
        *bytes = NULL;
        stop(wire, -1, why);
    }
    return *bytes != NULL;
}
