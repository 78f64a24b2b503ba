/* Progress, for move.h. */
#include "src/wire/move.h"

#include "src/wire/arrive.h"
#include "src/wire/parts.h"
#include "src/wire/post.h"

#define FRAMES_AT_ONCE 64
#define MOVES_AT_ONCE 1024

void mst_wire_move(mst_wire *wire, bool *moved)
{
    const void *bytes;
    size_t count;
    int from;

    *moved = false;
    wire->moves++;
    if (!mst_wire_may_move(wire))
        return;
    wire->unmoved = 0;
    mst_wire_reap(wire);
    for (int i = 0; i < FRAMES_AT_ONCE && mst_wire_take(wire, &from, &bytes, &count); i++) {
        mst_wire_arrive(wire, from, bytes, count);
        *moved = true;
    }
    mst_wire_send_parts(wire);
}

void mst_wire_move_all(mst_wire *wire)
{
    bool moved = true;

    for (int i = 0; i < MOVES_AT_ONCE && moved; i++)
        mst_wire_move(wire, &moved);
}

muster_status mst_wire_check_thread(mst_wire *wire)
{
    if (wire->why[0] || wire->has_left || wire->frames->methods->is_allowed(wire->frames))
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_UNSUPPORTED, "%s", wire->frames->methods->refusal);
}
