/* Packs, reads and settles the word of rendezvous.h. */
#include "shm/wait/rendezvous.h"

#include "shm/base/atomic.h"
#include "shm/base/fault.h"

/* bits 0-7 outcome, 8-19 rank, 20-31 by, 32-39 kind of termination or status, 40-55 its code */
#define RANK_BITS 12

static_assert(MST_RANKS_MAX <= 1 << RANK_BITS, "a rank fits into its bits");

static _Atomic uint64_t *word_of(const mst_geometry *geometry)
{
    return &mst_layout_header(geometry)->rendezvous;
}

/* COMPLETE is the same word, whichever rank settles it. */
static uint64_t pack(const mst_rendezvous *settled)
{
    uint64_t how = settled->outcome == MST_OUTCOME_REFUSED ? (uint64_t)settled->status
                                                           : (uint64_t)settled->termination.kind;

    if (settled->outcome == MST_OUTCOME_COMPLETE)
        return MST_OUTCOME_COMPLETE;
    return (uint64_t)settled->outcome | (uint64_t)settled->rank << 8 |
           (uint64_t)settled->by << (8 + RANK_BITS) | how << 32 |
           ((uint64_t)settled->termination.code & 0xffff) << 40;
}

static mst_rendezvous unpack(const mst_geometry *geometry, uint64_t word)
{
    uint32_t mask = (1U << RANK_BITS) - 1, how = (uint32_t)(word >> 32 & 0xff);
    mst_rendezvous found = { .outcome = (mst_outcome)(word & 0xff),
                             .rank = (uint32_t)(word >> 8) & mask,
                             .by = (uint32_t)(word >> (8 + RANK_BITS)) & mask,
                             .termination = { (muster_termination_kind)how, (int)(word >> 40 & 0xffff) },
                             .status = (muster_status)how };

    if (word == MST_OUTCOME_OPEN || word == MST_OUTCOME_COMPLETE)
        return found;
    bool valid = (word & 0xff) > MST_OUTCOME_COMPLETE && (word & 0xff) <= MST_OUTCOME_DAMAGED &&
                 word >> 56 == 0 && found.rank < geometry->size && found.by < MST_RANKS_MAX;
    if (found.outcome == MST_OUTCOME_REFUSED)
        valid = valid && how > MUSTER_OK && how <= MUSTER_ERR_UNAVAILABLE;
    else
        valid = valid && how <= MUSTER_TERMINATION_CRASHED;
    return valid ? found : (mst_rendezvous){ .outcome = MST_OUTCOME_DAMAGED };
}

mst_rendezvous mst_rendezvous_read(const mst_geometry *geometry)
{
    return unpack(geometry, mst_load64_acq(word_of(geometry))); /* E23 */
}

mst_rendezvous mst_rendezvous_settle(const mst_geometry *geometry, const mst_rendezvous *proposed)
{
    mst_fault_point("rendezvous.settle");
    uint64_t earlier = mst_cmpxchg64_sc(word_of(geometry), MST_OUTCOME_OPEN, pack(proposed)); /* E23 */

    mst_fault_point("rendezvous.settled");
    return earlier == MST_OUTCOME_OPEN ? *proposed : unpack(geometry, earlier);
}

void mst_rendezvous_note_termination(const mst_geometry *geometry, uint32_t seat,
                                     muster_termination termination)
{
    mst_rendezvous ended = { .outcome = MST_OUTCOME_ENDED, .rank = seat, .termination = termination };

    /* A rank that has attached counts as arrived, however long it lives. */
    if (seat < geometry->size &&
        mst_load32_acq(&mst_layout_entry(geometry, seat)->state) != MST_RANK_ATTACHED) /* E1 */
        mst_rendezvous_settle(geometry, &ended);
}
