/*
 * Poison: the sticky reason why a group is broken.
 *
 * One 64-bit word per cell. The first rank's cell decides which reason is first: the winner of the
 * compare-and-swap there is the reason that every member gets, so that all ranks report the same one. It is
 * then copied to every cell and every sleeper is woken. A death is described by numbers; for every other
 * reason the reporting rank has written a sentence into its own cell before.
 *
 * One group after another uses a cell. So the word contains the cell's generation beside the reason, also
 * while there is no reason, and is swapped only if the generation is that of the group that is meant: a rank
 * that is so late that the cell belongs to another group changes nothing.
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
    MST_POISON_VANISHED, /* has ended, nobody knows how */
    MST_POISON_EXECED,   /* executes another program now */
    MST_POISON_CRASHED,  /* is writing its core file */
    MST_POISON_LEFT,     /* left the group; `code` 1: its program is known to have ended */
    MST_POISON_REGROUPS, /* entered a shrink or a grow of the group */
    MST_POISON_LAUNCHER, /* not a rank: the launcher is gone */
    /* reported by `rank`, which wrote the sentence into its cell; `code`: 1 + the rank that it is about, 0:
       none */
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
mst_poison mst_poison_unpack(uint64_t word); /* DAMAGE also for a reason that no rank writes */

/* The word of a cell without poison, in the group in which its membership has this value. */
static inline uint64_t mst_poison_none(uint64_t membership)
{
    return membership >> 1 << 32;
}

/* Whether a word has a reason, in whichever group; for observers outside the job. */
static inline bool mst_poison_is_one(uint64_t word)
{
    return (uint32_t)word != 0;
}

/* Whether the word belongs to the group whose word without poison is `none`. */
static inline bool mst_poison_is_of(uint64_t word, uint64_t none)
{
    return word >> 32 == none >> 32;
}

/* Poisons the group of these cells unless it is poisoned already; `none` are their words without poison.
 * Never blocks. */
void mst_poison_spread(mst_cell *const *cells, const uint64_t *none, int size, const mst_poison *poison);

#endif
