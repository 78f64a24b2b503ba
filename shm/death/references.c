/* The bits of references.h. */
#include "shm/death/references.h"

#include "shm/base/fault.h"
#include "shm/death/liveness.h"
#include "shm/port/os.h"
#include "src/pure/atomic.h"

static _Atomic uint64_t *word_of(const mst_geometry *geometry, uint32_t seat, uint32_t self)
{
    return &mst_layout_entry(geometry, seat)->references[self / 64];
}

void mst_references_add(const mst_geometry *geometry, uint32_t seat, uint32_t self)
{
    mst_or64_sc(word_of(geometry, seat, self), 1ULL << (self % 64)); /* E17 */
}

void mst_references_remove(const mst_geometry *geometry, uint32_t seat, uint32_t self)
{
    mst_and64_sc(word_of(geometry, seat, self), ~(1ULL << (self % 64))); /* E17: our last look was before */
    mst_fault_point("holder.removed");
}

static bool has_ended(const mst_geometry *geometry, uint32_t seat)
{
    return mst_liveness_termination(geometry, seat).kind != MUSTER_TERMINATION_NONE;
}

/* Who is dead, or in no group at all, holds nothing. */
static bool can_hold(const mst_geometry *geometry, uint32_t seat)
{
    return !has_ended(geometry, seat) &&
           mst_load32_acq(&mst_layout_entry(geometry, seat)->state) != MST_RANK_LEFT; /* E10 */
}

static bool is_held(const mst_geometry *geometry, uint32_t seat)
{
    for (uint32_t first = 0; first < geometry->seats; first += 64) {
        uint64_t bits = mst_load64_acq(word_of(geometry, seat, first)); /* E17 */

        for (uint32_t holder = first; bits != 0; holder++, bits >>= 1)
            if ((bits & 1) && holder < geometry->seats && can_hold(geometry, holder))
                return true;
    }
    return false;
}

bool mst_references_release_dead(const mst_geometry *geometry, bool *done)
{
    bool left = false;

    for (uint32_t seat = 0; seat < geometry->seats; seat++) {
        if (done[seat] || !has_ended(geometry, seat))
            continue;
        if (!mst_liveness_writes_no_more(geometry, seat) || is_held(geometry, seat)) {
            left = true;
            continue;
        }
        mst_os_memory_release(mst_layout_at(geometry, seat, mst_layout_heap_begin(geometry, seat)),
                              mst_layout_mapped_heap_bytes(geometry));
        done[seat] = true;
    }
    return left;
}
