/* The list of early.h. */
#include "src/wire/early.h"

#include <stdlib.h>
#include <string.h>

/* Whether this process may still make the group. Who has made it has heard this process by the parent, which
 * is there, or has been closed here; and a copy is made right after its original. */
static bool may_come(const mst_wire *wire, const mst_wire_head *head)
{
    uint64_t original = mst_wire_original(head->group);
    const mst_wire_group *twin = original == head->group ? NULL : mst_wire_group_find(wire, original);

    if (twin)
        return !twin->closed;
    if (original == MST_WIRE_NUMBER_OF_WHOLE)
        return true;
    const mst_wire_group *parent = mst_wire_group_find(wire, head->parent);
    return parent && !parent->closed && (parent->broken.status == MUSTER_OK || parent->makes);
}

bool mst_wire_keep_early(mst_wire *wire, int from, const mst_wire_head *head, const void *data, size_t bytes)
{
    if (head->kind < MST_WIRE_MESSAGE || head->kind > MST_WIRE_GONE)
        return false;
    mst_wire_early *early = may_come(wire, head) ? malloc(sizeof *early + bytes) : NULL;
    if (!early)
        return true; /* without memory whoever waits for it finds its limit */
    *early = (mst_wire_early){ .from = from, .count = bytes, .head = *head };
    if (bytes)
        memcpy(early + 1, data, bytes);
    *(wire->early ? &wire->early_last->next : &wire->early) = early;
    wire->early_last = early;
    return true;
}

/* `at` is where `early` hangs. */
static void take_out(mst_wire *wire, mst_wire_early **at, const mst_wire_early *early, mst_wire_early *before)
{
    if (wire->early_last == early)
        wire->early_last = before;
    *at = early->next;
}

mst_wire_early *mst_wire_take_early(mst_wire *wire, uint64_t number)
{
    mst_wire_early *before = NULL;

    for (mst_wire_early **at = &wire->early; *at; before = *at, at = &(*at)->next) {
        mst_wire_early *found = *at;

        if (found->head.group != number)
            continue;
        take_out(wire, at, found, before);
        return found;
    }
    return NULL;
}

void mst_wire_drop_early(mst_wire *wire)
{
    mst_wire_early *before = NULL;

    for (mst_wire_early **at = &wire->early; *at;) {
        mst_wire_early *early = *at;

        if (may_come(wire, &early->head)) {
            before = early;
            at = &early->next;
            continue;
        }
        take_out(wire, at, early, before);
        free(early);
    }
}
