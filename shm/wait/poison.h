/*
 * Poison: the sticky reason why a group is broken.
 *
 * One 64-bit word per cell. The first rank's cell decides who was first: the winner of the
 * compare-and-swap there is the reason that every member gets, so that all ranks tell the same
 * story. It is then copied to every cell and every sleeper is woken. A death says all in numbers;
 * for everything else the reporting rank has written a sentence into its own cell before.
 *
 * A cell is used by one group after the other, so the word has the cell's generation beside the reason, also
 * while there is none, and is swapped only against that of the group that is meant: who is so late that the
 * cell belongs to another group by now changes nothing.
 */
#ifndef MST_POISON_H
#define MST_POISON_H

#include "muster/muster.h"
#include "shm/base/layout.h"

typedef enum mst_poison_kind {
    MST_POISON_NONE,
    /* PEER_DIED: what became of `rank` */
    MST_POISON_EXITED,   /* exited with status `code` */
    MST_POISON_SIGNALED, /* was killed by signal `code` */
    MST_POISON_VANISHED, /* is gone, nobody knows how */
    MST_POISON_EXECED,   /* is another program now */
    MST_POISON_CRASHED,  /* is writing its core file */
    MST_POISON_LEFT,     /* gave the group back; `code` 1: its program is known to have ended */
    MST_POISON_REGROUPS, /* has gone to shrink or to grow it */
    MST_POISON_LAUNCHER, /* not a rank: the launcher is gone */
    /* reported by `rank`, whose cell has the sentence */
    MST_POISON_LATE,     /* TIMED_OUT */
    MST_POISON_MISMATCH, /* MISMATCH */
    MST_POISON_DEADLOCK, /* DEADLOCK */
    MST_POISON_ABORT,    /* ABORTED */
    MST_POISON_DAMAGE    /* BAD_ARENA */
} mst_poison_kind;

typedef struct mst_poison {
    mst_poison_kind kind;
    int rank; /* of the group */
    int code;
} mst_poison;

mst_poison_kind mst_poison_of_termination(muster_termination termination);
/* The other way round; kind NONE where no rank has ended. */
muster_termination mst_poison_termination(const mst_poison *poison);
muster_status mst_poison_status(const mst_poison *poison);
mst_poison mst_poison_unpack(uint64_t word); /* DAMAGE also for a reason that nobody can have written */

/* The word of a cell that is not poisoned, in the group in which its membership is this. */
static inline uint64_t mst_poison_none(uint64_t membership)
{
    return membership >> 1 << 32;
}

/* Whether a word has a reason, whichever group's it is; for those who look from outside. */
static inline bool mst_poison_is_one(uint64_t word)
{
    return (uint32_t)word != 0;
}

/* Whether it is a word of the group in which it is `none` when there is no reason. */
static inline bool mst_poison_is_of(uint64_t word, uint64_t none)
{
    return word >> 32 == none >> 32;
}

/* Poisons the group of these cells, whose words are `none` of them otherwise, unless it is already; never
 * blocks. */
void mst_poison_spread(mst_cell *const *cells, const uint64_t *none, int size, const mst_poison *poison);

#endif
