/* The pieces of pieces.h. A word is the number of the work, which never comes again, the member, and a bit.
 */
#include "shm/group/pieces.h"

#include "shm/base/fault.h"
#include "src/pure/atomic.h"

#define DONE 1U
#define RANK_SHIFT 1
#define WORK_SHIFT 17

static _Atomic uint64_t *word_of(const mst_lane *lane, int piece)
{
    return &lane->subarena->cells[0]->pieces[piece];
}

static uint64_t own_word(const mst_lane *lane)
{
    return lane->work << WORK_SHIFT | (uint64_t)lane->subarena->rank << RANK_SHIFT;
}

/* Of the work that this member is at. */
static bool is_taken(const mst_lane *lane, uint64_t word)
{
    return word >> WORK_SHIFT == lane->work;
}

static bool is_begun(const void *arg)
{
    const mst_lane *lane = arg;

    return is_taken(lane, mst_load64_acq(word_of(lane, 0))); /* E21: takes are in order */
}

mst_wait_result mst_pieces_meet(mst_lane *lane, int *missing)
{
    lane->work++;
    return mst_lane_wait_unless(lane, is_begun, lane, missing);
}

int mst_pieces_take(mst_lane *lane, int from, int count)
{
    for (int piece = from; piece < count; piece++) {
        uint64_t word = mst_load64_acq(word_of(lane, piece)); /* E21 */

        if (is_taken(lane, word))
            continue;
        mst_fault_point("piece.take");
        if (mst_cmpxchg64_sc(word_of(lane, piece), word, own_word(lane)) != word) /* E21 */
            continue;
        mst_fault_point("piece.taken");
        return piece;
    }
    return count;
}

static mst_parking parking_of(const mst_lane *lane)
{
    mst_cell *cell = lane->subarena->cells[0];

    return (mst_parking){ &cell->pieces_rung, &cell->pieces_sleepers };
}

void mst_pieces_done(mst_lane *lane, int piece)
{
    mst_exchange64_sc(word_of(lane, piece), own_word(lane) | DONE); /* E21: publishes the result */
    mst_fault_point("piece.done");
    mst_ring(parking_of(lane));
}

typedef struct taken {
    const mst_lane *lane;
    int piece;
} taken;

static uint64_t look_at(const taken *taken)
{
    return mst_load64_sc(word_of(taken->lane, taken->piece)); /* E21, E9 */
}

/* Who has taken the piece, of which all were taken; -1: the word makes no sense. */
static int owner(const mst_lane *lane, uint64_t word)
{
    int rank = (int)(word >> RANK_SHIFT & ((1U << (WORK_SHIFT - RANK_SHIFT)) - 1));

    return is_taken(lane, word) && rank < lane->subarena->size ? rank : -1;
}

/* Or there is nothing to wait for. */
static bool is_done(const void *arg)
{
    const taken *taken = arg;
    uint64_t word = look_at(taken);

    return word & DONE || owner(taken->lane, word) < 0;
}

mst_wait_result mst_pieces_wait(mst_lane *lane, int piece, int *by)
{
    taken awaited = { lane, piece };

    *by = owner(lane, look_at(&awaited));
    mst_wait_result result = mst_wait_until(&lane->waiter, parking_of(lane), is_done, &awaited, *by);
    if (result == MST_WAIT_READY)
        *by = owner(lane, look_at(&awaited));
    return result;
}
