/* Records and reads terminations, for terminations.h. */
#include "shm/death/terminations.h"

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "shm/wait/rendezvous.h"
#include "shm/wait/wait.h"

/* In the termination word, above kind and code: the header's count at the time of recording. */
#define ORDER_SHIFT 24

muster_termination mst_termination_of(const mst_geometry *geometry, uint32_t seat)
{
    return mst_termination_unpack(mst_load64_acq(&mst_layout_entry(geometry, seat)->termination)); /* E8 */
}

muster_termination mst_termination_unpack(uint64_t word)
{
    uint64_t kind = word & 0xff;

    /* Also for a word that is not 0 and names no termination, which no rank writes: nothing could replace
     * it. */
    if (kind > MUSTER_TERMINATION_CRASHED || (word != 0 && kind == MUSTER_TERMINATION_NONE))
        kind = MUSTER_TERMINATION_VANISHED;
    return (muster_termination){ (muster_termination_kind)kind, (int)(word >> 8 & 0xffff) };
}

muster_termination mst_termination_of_process(mst_os_termination found, int code)
{
    switch (found) {
    case MST_OS_EXITED:
        return (muster_termination){ MUSTER_TERMINATION_EXITED, code };
    case MST_OS_SIGNALED:
        return (muster_termination){ MUSTER_TERMINATION_SIGNALED, code };
    case MST_OS_DUMPING:
        return (muster_termination){ MUSTER_TERMINATION_CRASHED, 0 };
    default:
        return (muster_termination){ MUSTER_TERMINATION_VANISHED, 0 };
    }
}

bool mst_termination_is_for_later(muster_termination termination, bool killed_only)
{
    return killed_only && termination.kind != MUSTER_TERMINATION_SIGNALED &&
           termination.kind != MUSTER_TERMINATION_CRASHED;
}

void mst_termination_record(const mst_geometry *geometry, uint32_t seat, muster_termination termination)
{
    mst_header *header = mst_layout_header(geometry);
    uint64_t word = (uint64_t)termination.kind | ((uint64_t)termination.code & 0xffff) << 8;

    if (mst_load64_acq(&mst_layout_entry(geometry, seat)->termination) != 0) /* E8 */
        return;
    word |= (uint64_t)mst_add32_sc(&header->terminations, 1) << ORDER_SHIFT;            /* E8 */
    if (mst_cmpxchg64_sc(&mst_layout_entry(geometry, seat)->termination, 0, word) != 0) /* E8 */
        return;
    mst_fault_point("termination.recorded");
    mst_rendezvous_note_termination(geometry, seat, termination);
    mst_add32_sc(&header->terminations, 1); /* E8 */
    mst_fault_point("termination.counted");
    mst_wake_watchers(&header->terminations);
    mst_eventcount_advance(&header->arrivals);
}

bool mst_termination_precedes(const mst_geometry *geometry, uint32_t seat, uint32_t other)
{
    uint64_t word = mst_load64_acq(&mst_layout_entry(geometry, seat)->termination);        /* E8 */
    uint64_t other_word = mst_load64_acq(&mst_layout_entry(geometry, other)->termination); /* E8 */

    return (int32_t)((uint32_t)(word >> ORDER_SHIFT) - (uint32_t)(other_word >> ORDER_SHIFT)) < 0;
}

void mst_termination_record_gone(const mst_geometry *geometry, uint32_t seat)
{
    mst_store32_rel(&mst_layout_entry(geometry, seat)->gone,
                    MST_WRITES_NO_MORE); /* E8: orders its last stores before this */
}

uint32_t mst_termination_count(const mst_geometry *geometry)
{
    return mst_load32_acq(&mst_layout_header(geometry)->terminations); /* E8 */
}

bool mst_termination_writes_no_more(const mst_geometry *geometry, uint32_t seat)
{
    return mst_load32_acq(&mst_layout_entry(geometry, seat)->gone) == MST_WRITES_NO_MORE; /* E8 */
}
