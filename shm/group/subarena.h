/*
 * The part of an arena that belongs to one group, as one of its members holds it.
 *
 * Each member brings a cell (control lines) with its small slots, and a staging block from its own region. A
 * member claims its share before the split, tells the others where it is by its split record, and learns
 * theirs in turn: no lock, and nothing half-made is ever visible, because what a member has not
 * published nobody can reach. Giving back is as local: the member says that it has left (E10), and
 * its memory is used again only when every other member has left or is dead, since until then they
 * may read it.
 */
#ifndef MST_SUBARENA_H
#define MST_SUBARENA_H

#include "shm/arena/attachment.h"
#include "shm/wait/poison.h"

/* Where one member's share lies. */
typedef struct mst_share {
    uint32_t seat;
    uint32_t cell;
    uint64_t membership;
    uint64_t staging_offset;
} mst_share;

typedef struct mst_subarena {
    mst_attachment *attachment;
    int rank;
    int size;
    mst_share own;
    mst_share *shares;       /* by rank of the group: private copies, checked */
    mst_cell **cells;        /* by rank of the group */
    uint64_t *no_poison;     /* by rank of the group: the word of a cell that is not poisoned */
    unsigned char **slots;   /* by rank of the group: the two small ones, side by side */
    unsigned char **staging; /* by rank of the group: the ring */
    mst_extent *blocks;      /* heap blocks of ours that live and die with the group */
    size_t block_count, block_capacity;
    struct mst_subarena *next; /* in the list of open or of retired ones */
} mst_subarena;

/* Claims this rank's share of a group to be: an initialised cell, committed slots and staging. */
muster_status mst_share_claim(mst_attachment *attachment, mst_share *share);
/* Gives back a share that no peer will use: all of them saw the split fail. */
void mst_share_release(mst_attachment *attachment, const mst_share *share);
/* Leaves a group of which some peers may be members already, though this rank saw its split fail. */
void mst_share_abandon(mst_attachment *attachment, const mst_share *share);

/* Makes the sub-arena of `size` members from their shares, which are peers' words: BAD_ARENA unless
 * every offset lies in its owner's region. Takes our own share over on success. */
muster_status mst_subarena_open(mst_attachment *attachment, const mst_share *shares, int rank, int size,
                                mst_subarena **subarena);

/* Leaves the group; the memory follows when it may. Never blocks, never fails. */
void mst_subarena_retire(mst_subarena *subarena);

/* Drops a hold on the attachment, and with the last one everything that is left of it. */
void mst_subarena_drop_attachment(mst_attachment *attachment);

/* Whether a member is in the group still. */
bool mst_subarena_has_member(const mst_subarena *subarena, int rank);

/* Whether our own cell is poisoned: peers may be anywhere in what they do. */
bool mst_subarena_is_broken(const mst_subarena *subarena);

/* A member that ended without leaving breaks the group, whoever it was that others wait for. Whether there
 * is one. */
bool mst_subarena_look_at_terminations(const mst_subarena *subarena);

/* The same for every group of the rank. */
void mst_subarenas_look_at_terminations(mst_attachment *attachment);

/* Heap blocks that go back with the group, if not before. */
muster_status mst_subarena_claim_block(mst_subarena *subarena, uint64_t bytes, uint64_t *offset);
bool mst_subarena_release_block(mst_subarena *subarena, uint64_t offset); /* false: no such block */
/* Leaves one to whoever may still read it, for good. */
void mst_subarena_abandon_block(mst_subarena *subarena, uint64_t offset);

#endif
