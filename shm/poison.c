/* Packing and spreading of poison.h. */
#include "shm/poison.h"

#include "shm/atomic.h"
#include "shm/fault.h"
#include "shm/wait.h"

/* bits 0-7 kind, 8-31 rank, 32-63 code */
uint64_t mst_poison_pack(const mst_poison *poison)
{
    return (uint64_t)poison->kind | ((uint64_t)poison->rank & 0xffffff) << 8 |
           (uint64_t)(uint32_t)poison->code << 32;
}

mst_poison mst_poison_unpack(uint64_t word)
{
    return (mst_poison){
        .kind = (mst_poison_kind)(word & 0xff),
        .rank = (int)(word >> 8 & 0xffffff),
        .code = (int)(int32_t)(uint32_t)(word >> 32),
    };
}

mst_poison_kind mst_poison_of_ending(muster_ending ending)
{
    switch (ending.kind) {
    case MUSTER_ENDED_EXITED:
        return MST_POISON_EXITED;
    case MUSTER_ENDED_SIGNALED:
        return MST_POISON_SIGNALED;
    case MUSTER_ENDED_EXECED:
        return MST_POISON_EXECED;
    case MUSTER_ENDED_CRASHED:
        return MST_POISON_CRASHED;
    default:
        return MST_POISON_VANISHED;
    }
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

static void alarm_lane(mst_lane_lines *lane)
{
    for (int i = 0; i < 2; i++)
        mst_alarm((mst_parking){ &lane->arrivals[i].word, &lane->sleepers });
}

static void alarm_cell(mst_cell *cell)
{
    alarm_lane(&cell->steps);
    alarm_lane(&cell->splits);
    for (int i = 0; i < MST_STARTED_MAX; i++)
        alarm_lane(&cell->started[i].lane);
    mst_alarm(mst_signal_parking(&cell->bell));
    mst_alarm((mst_parking){ &cell->pieces_rung, &cell->pieces_sleepers });
}

void mst_poison_spread(mst_cell *const *cells, int size, const mst_poison *poison)
{
    uint64_t word = mst_poison_pack(poison);
    uint64_t earlier = mst_cmpxchg64_sc(&cells[0]->poison, 0, word); /* E7: the first reason wins */

    mst_fault_point("poison.decided");
    if (earlier)
        word = earlier;
    /* All words before any alarm: a member looks at its own cell's word and sleeps on another's. */
    for (int rank = 0; rank < size; rank++) {
        mst_cmpxchg64_sc(&cells[rank]->poison, 0, word); /* E7 */
        mst_fault_point("poison.spread");
    }
    for (int rank = 0; rank < size; rank++)
        alarm_cell(cells[rank]);
}
