/* Packs and spreads the poison of poison.h. */
#include "shm/wait/poison.h"

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "shm/wait/wait.h"

/* bits 0-3 kind, 4-15 rank, 16-31 code; 32-63 are the cell's generation */
#define REASON_BITS UINT32_MAX

static_assert(MST_POISON_DAMAGE < 1 << 4 && MST_RANKS_MAX <= 1 << 12, "a reason fits");

static uint64_t pack(const mst_poison *poison)
{
    return (uint64_t)poison->kind | ((uint64_t)poison->rank & 0xfff) << 4 |
           ((uint64_t)poison->code & 0xffff) << 16;
}

mst_poison mst_poison_unpack(uint64_t word)
{
    uint64_t kind = word & 0xf;
    bool written = mst_poison_is_one(word) ? kind != MST_POISON_NONE && kind <= MST_POISON_DAMAGE : true;

    return (mst_poison){
        .kind = written ? (mst_poison_kind)kind : MST_POISON_DAMAGE,
        .rank = (int)(word >> 4 & 0xfff),
        .code = (int)(word >> 16 & 0xffff),
    };
}

mst_poison_kind mst_poison_of_termination(muster_termination termination)
{
    switch (termination.kind) {
    case MUSTER_TERMINATION_EXITED:
        return MST_POISON_EXITED;
    case MUSTER_TERMINATION_SIGNALED:
        return MST_POISON_SIGNALED;
    case MUSTER_TERMINATION_EXECED:
        return MST_POISON_EXECED;
    case MUSTER_TERMINATION_CRASHED:
        return MST_POISON_CRASHED;
    default:
        return MST_POISON_VANISHED;
    }
}

muster_termination mst_poison_termination(const mst_poison *poison)
{
    for (int kind = MUSTER_TERMINATION_EXITED; kind <= MUSTER_TERMINATION_CRASHED; kind++) {
        muster_termination termination = { (muster_termination_kind)kind, poison->code };

        if (mst_poison_of_termination(termination) == poison->kind)
            return termination;
    }
    return (muster_termination){ MUSTER_TERMINATION_NONE, 0 };
}

muster_status mst_poison_status(const mst_poison *poison)
{
    switch (poison->kind) {
    case MST_POISON_NONE:
        return MUSTER_OK;
    case MST_POISON_EXITED:
    case MST_POISON_SIGNALED:
    case MST_POISON_VANISHED:
    case MST_POISON_EXECED:
    case MST_POISON_CRASHED:
    case MST_POISON_LEFT:
    case MST_POISON_REGROUPS:
    case MST_POISON_LAUNCHER:
        return MUSTER_ERR_PEER_DIED;
    case MST_POISON_LATE:
        return MUSTER_ERR_TIMED_OUT;
    case MST_POISON_MISMATCH:
        return MUSTER_ERR_MISMATCH;
    case MST_POISON_DEADLOCK:
        return MUSTER_ERR_DEADLOCK;
    case MST_POISON_ABORT:
        return MUSTER_ERR_ABORTED;
    case MST_POISON_DAMAGE:
        break;
    }
    return MUSTER_ERR_BAD_ARENA; /* also for a word that no version of muster writes */
}

static void alarm_sequence(mst_sequence_lines *sequence)
{
    mst_alarm((mst_parking){ &sequence->even.word, &sequence->sleepers });
    mst_alarm((mst_parking){ &sequence->odd.word, &sequence->sleepers });
}

static void alarm_cell(mst_cell *cell)
{
    alarm_sequence(&cell->collectives);
    alarm_sequence(&cell->splits);
    for (int i = 0; i < 2; i++)
        mst_alarm((mst_parking){ &cell->gathered[i].word, &cell->collectives.sleepers });
    mst_alarm((mst_parking){ &cell->release.word, &cell->collectives.sleepers });
    mst_alarm(mst_eventcount_parking(&cell->doorbell));
    mst_alarm((mst_parking){ &cell->chunks_word, &cell->chunks_sleepers });
}

/* Sets the reason and returns the previous word. The fault point reports that the cell belongs to another
 * group by now, which must not happen. */
static uint64_t swap_in(mst_cell *cell, uint64_t none, uint64_t reason)
{
    uint64_t found = mst_cmpxchg64_sc(&cell->poison, none, none | reason); /* E7 */

    if (!mst_poison_is_of(found, none))
        mst_fault_point("never.late");
    return found;
}

void mst_poison_spread(mst_cell *const *cells, const uint64_t *none, int size, const mst_poison *poison)
{
    uint64_t reason = pack(poison);
    uint64_t found = swap_in(cells[0], none[0], reason); /* E7: the first reason wins */

    mst_fault_point("poison.decided");
    if (mst_poison_is_of(found, none[0]) && found != none[0])
        reason = found & REASON_BITS;
    /* All words before any alarm: a member looks at its own cell's word and sleeps on another's. */
    for (int rank = 0; rank < size; rank++) {
        swap_in(cells[rank], none[rank], reason); /* E7 */
        mst_fault_point("poison.spread");
    }
    for (int rank = 0; rank < size; rank++)
        alarm_cell(cells[rank]);
}
