/* Reads and writes the words of successor.h. */
#include "shm/death/successor.h"

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "shm/death/terminations.h"
#include "shm/wait/wait.h"

#define NOBODY UINT32_MAX

/* Of an admission word: offsets are multiples of more than the number of seats. */
#define SEAT_BITS 12
#define GIVEN_UP 1

static_assert(MST_RANKS_MAX <= 1 << SEAT_BITS, "a seat fits below an offset");

void mst_successor_decide(const mst_geometry *geometry, uint32_t seat, uint32_t successor)
{
    uint32_t word = successor == MST_NO_SEAT ? NOBODY : successor + 1;

    mst_store32_rel(&mst_layout_entry(geometry, seat)->successor, word); /* E15 */
    mst_eventcount_advance(&mst_layout_header(geometry)->arrivals);
}

/* Seats are assigned in order, so a successor in an earlier seat is damage: none. */
static uint32_t successor_of(const mst_geometry *geometry, uint32_t seat, bool *decided)
{
    uint32_t word = mst_load32_acq(&mst_layout_entry(geometry, seat)->successor); /* E15 */

    *decided = word != 0;
    return word > seat + 1 && word <= geometry->seats ? word - 1 : MST_NO_SEAT;
}

static mst_presence look_at_seat(const mst_geometry *geometry, uint32_t seat)
{
    const mst_rank_entry *entry = mst_layout_entry(geometry, seat);

    switch (mst_load32_acq(&entry->state)) { /* E1 */
    case MST_RANK_ATTACHED:
        return MST_PRESENT;
    case MST_RANK_WAITING:
        return mst_load64_acq(&entry->admission) ? MST_PRESENT : MST_WAITING; /* E16 */
    case MST_RANK_LEFT:
        return MST_LOST;
    default:
        return MST_COMING;
    }
}

/* Whether the launcher will still decide on a seat whose rank has ended: only once the process ends. A
 * process that executes another program, or of which only the death word is known to be gone, may live on. */
static bool will_be_decided(mst_liveness *liveness, uint32_t seat, muster_termination termination)
{
    bool process_ends =
        termination.kind != MUSTER_TERMINATION_EXECED &&
        (termination.kind != MUSTER_TERMINATION_VANISHED || mst_liveness_is_gone(liveness, seat));

    return process_ends && liveness->watches.launcher.pid != 0 && !mst_liveness_launcher_gone(liveness);
}

mst_presence mst_successor_look(mst_liveness *liveness, uint32_t rank, uint32_t *seat)
{
    const mst_geometry *geometry = &liveness->geometry;
    bool decided;

    for (*seat = rank;;) {
        muster_termination termination = mst_termination_of(geometry, *seat);

        if (termination.kind == MUSTER_TERMINATION_NONE) {
            mst_presence found = look_at_seat(geometry, *seat);
            bool promised = liveness->watches.launcher.pid != 0 && !mst_liveness_launcher_gone(liveness);

            return found == MST_COMING && !promised ? MST_LOST : found;
        }
        uint32_t next = successor_of(geometry, *seat, &decided);
        if (next == MST_NO_SEAT)
            return !decided && will_be_decided(liveness, *seat, termination) ? MST_COMING : MST_LOST;
        *seat = next;
    }
}

uint32_t mst_successor_seat(const mst_geometry *geometry, uint32_t rank, uint32_t replacements)
{
    uint32_t seat = rank;
    bool decided;

    while (replacements-- > 0 && seat != MST_NO_SEAT)
        seat = successor_of(geometry, seat, &decided);
    return seat;
}

bool mst_successor_admit(const mst_geometry *geometry, uint32_t seat, uint32_t list_seat,
                         uint64_t list_offset)
{
    uint64_t word = list_offset | list_seat;
    uint64_t earlier = mst_cmpxchg64_sc(&mst_layout_entry(geometry, seat)->admission, 0, word); /* E16 */

    mst_fault_point("respawned.admitted");
    mst_eventcount_advance(&mst_layout_header(geometry)->arrivals);
    return earlier == 0 || earlier == word || earlier == GIVEN_UP;
}

bool mst_successor_admitted(const mst_geometry *geometry, uint32_t seat, uint32_t *list_seat,
                            uint64_t *list_offset)
{
    uint64_t word = mst_load64_acq(&mst_layout_entry(geometry, seat)->admission); /* E16 */

    *list_seat = (uint32_t)(word & ((1U << SEAT_BITS) - 1));
    *list_offset = word >> SEAT_BITS << SEAT_BITS;
    return word != 0;
}

bool mst_successor_give_up(const mst_geometry *geometry, uint32_t seat)
{
    return mst_cmpxchg64_sc(&mst_layout_entry(geometry, seat)->admission, 0, GIVEN_UP) == 0; /* E16 */
}
