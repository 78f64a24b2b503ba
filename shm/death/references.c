/* Sets, clears and checks the bits of references.h. */
#include "shm/death/references.h"

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "shm/death/terminations.h"
#include "shm/port/os.h"

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
    mst_and64_sc(word_of(geometry, seat, self), ~(1ULL << (self % 64))); /* E17: after our last read there */
    mst_fault_point("reference.removed");
}

static bool has_ended(const mst_geometry *geometry, uint32_t seat)
{
    return mst_termination_of(geometry, seat).kind != MUSTER_TERMINATION_NONE;
}

/* A rank that is dead, or has left all groups, references nothing. */
static bool can_read(const mst_geometry *geometry, uint32_t seat)
{
    return !has_ended(geometry, seat) &&
           mst_load32_acq(&mst_layout_entry(geometry, seat)->state) != MST_RANK_LEFT; /* E10 */
}

static bool is_read(const mst_geometry *geometry, uint32_t seat)
{
    for (uint32_t first = 0; first < geometry->seats; first += 64) {
        uint64_t bits = mst_load64_acq(word_of(geometry, seat, first)); /* E17 */

        for (uint32_t reader = first; bits != 0; reader++, bits >>= 1)
            if ((bits & 1) && reader < geometry->seats && can_read(geometry, reader))
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
        if (!mst_termination_writes_no_more(geometry, seat) || is_read(geometry, seat)) {
            left = true;
            continue;
        }
        mst_os_memory_release(mst_layout_at(geometry, seat, mst_layout_heap_begin(geometry, seat)),
                              mst_layout_mapped_heap_bytes(geometry));
        done[seat] = true;
    }
    return left;
}
