/* Implements chunks.h. A chunk's word is the number of the shared work, which is never reused, the member
 * that took the chunk, and a bit for "done". */
#include "shm/group/chunks.h"

#include "shm/base/atomic.h"
#include "shm/base/fault.h"

#define DONE 1U
#define RANK_SHIFT 1
#define WORK_SHIFT 17

static _Atomic uint64_t *word_of(const mst_sequence *sequence, int chunk)
{
    return &sequence->subarena->cells[0]->chunks[chunk];
}

static uint64_t own_word(const mst_sequence *sequence)
{
    return sequence->work << WORK_SHIFT | (uint64_t)sequence->subarena->rank << RANK_SHIFT;
}

/* Whether the chunk is taken, in the shared work that this member is at. */
static bool is_taken(const mst_sequence *sequence, uint64_t word)
{
    return word >> WORK_SHIFT == sequence->work;
}

static bool is_begun(const void *arg)
{
    const mst_sequence *sequence = arg;

    return is_taken(sequence, mst_load64_acq(word_of(sequence, 0))); /* E21: chunks are taken in order */
}

mst_wait_result mst_chunks_meet(mst_sequence *sequence, int *missing)
{
    sequence->work++;
    return mst_sequence_wait_unless(sequence, is_begun, sequence, missing);
}

int mst_chunks_take(mst_sequence *sequence, int from, int count)
{
    for (int chunk = from; chunk < count; chunk++) {
        uint64_t word = mst_load64_acq(word_of(sequence, chunk)); /* E21 */

        if (is_taken(sequence, word))
            continue;
        mst_fault_point("chunk.take");
        if (mst_cmpxchg64_sc(word_of(sequence, chunk), word, own_word(sequence)) != word) /* E21 */
            continue;
        mst_fault_point("chunk.taken");
        return chunk;
    }
    return count;
}

static mst_parking parking_of(const mst_sequence *sequence)
{
    mst_cell *cell = sequence->subarena->cells[0];

    return (mst_parking){ &cell->chunks_word, &cell->chunks_sleepers };
}

void mst_chunks_done(mst_sequence *sequence, int chunk)
{
    mst_exchange64_sc(word_of(sequence, chunk), own_word(sequence) | DONE); /* E21: publishes the result */
    mst_fault_point("chunk.done");
    mst_ring(parking_of(sequence));
}

typedef struct taken {
    const mst_sequence *sequence;
    int chunk;
} taken;

static uint64_t look_at(const taken *taken)
{
    return mst_load64_sc(word_of(taken->sequence, taken->chunk)); /* E21, E9 */
}

/* Who has taken the chunk, which has been taken; -1: the word is invalid. */
static int owner(const mst_sequence *sequence, uint64_t word)
{
    int rank = (int)(word >> RANK_SHIFT & ((1U << (WORK_SHIFT - RANK_SHIFT)) - 1));

    return is_taken(sequence, word) && rank < sequence->subarena->size ? rank : -1;
}

/* Done, or invalid, so that there is nothing to wait for. */
static bool is_done(const void *arg)
{
    const taken *taken = arg;
    uint64_t word = look_at(taken);

    return word & DONE || owner(taken->sequence, word) < 0;
}

mst_wait_result mst_chunks_wait(mst_sequence *sequence, int chunk, int *by)
{
    taken awaited = { sequence, chunk };

    *by = owner(sequence, look_at(&awaited));
    mst_wait_result result = mst_wait_until(&sequence->waiter, parking_of(sequence), is_done, &awaited, *by);
    if (result == MST_WAIT_READY)
        *by = owner(sequence, look_at(&awaited));
    return result;
}
