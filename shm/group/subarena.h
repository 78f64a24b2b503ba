/*
 * The part of an arena that belongs to one group, as one of its members sees it.
 *
 * Each member contributes a cell (control lines) with its small slots, and a staging block from its own
 * region. A member claims its cell before the split, tells the others where it is in its split record, and
 * learns theirs. That needs no lock, and nothing incomplete is ever visible, because nobody can reach what a
 * member has not published. Staging follows when the group first needs it (staging.h): most groups of a large
 * program move little, and staging costs megabytes and milliseconds. Only a world has it from the beginning.
 * Freeing is local, too: the member announces that it has left (E10), and its memory is reused only when
 * every other member has left or is dead, since until then they may read it.
 */
#ifndef MST_SUBARENA_H
#define MST_SUBARENA_H

#include "shm/arena/attachment.h"
#include "shm/wait/poison.h"

/* What one member contributes to a group, its part, and where that is. */
typedef struct mst_member {
    uint32_t seat;
    uint32_t cell;
    uint64_t membership;
    uint64_t staging_offset; /* 0: not claimed yet */
    uint64_t block_bytes;    /* of memory that members map, in place of staging there; 0: staging */
} mst_member;

typedef struct mst_subarena {
    mst_attachment *attachment;
    int rank;
    int size;
    mst_member own;
    mst_member *members;     /* by rank of the group: private copies, checked */
    mst_cell **cells;        /* by rank of the group */
    uint64_t *no_poison;     /* by rank of the group: the word of a cell without poison */
    unsigned char **slots;   /* by rank of the group: the two small slots, adjacent */
    unsigned char **staging; /* by rank of the group: the ring; valid once `staged` */
    bool staged;             /* all members have staging, and we know where */
    mst_extent *blocks;      /* heap blocks of ours that are freed with the group at the latest */
    size_t block_count, block_capacity;
    unsigned char *const *mapped; /* by rank: memory that all members map; NULL: there is none */
    const uint64_t *mapped_bytes;
    bool sealed;               /* we may only read that */
    _Atomic uint32_t keeps;    /* 1: it counts in the attachment's `kept` */
    struct mst_subarena *next; /* in the list of open or of retired sub-arenas */
} mst_subarena;

/* Claims this rank's part of a future group: an initialised cell, and committed slots. */
muster_status mst_member_claim(mst_attachment *attachment, mst_member *member);
/* The same with a block of member->block_bytes in place of staging: zeros, in memory that others can map. */
muster_status mst_member_claim_block(mst_attachment *attachment, mst_member *member);
/* Adds staging, which the cell then tells of; to be called before the part is published. On failure the
 * part is gone. */
muster_status mst_member_claim_staging(mst_attachment *attachment, mst_member *member);
/* Frees a part that no peer will use: all of them saw the split fail. */
void mst_member_release(mst_attachment *attachment, const mst_member *member);
/* Leaves a group of which some peers may already be members, though this rank saw its split fail. */
void mst_member_abandon(mst_attachment *attachment, const mst_member *member);

/* Whether a peer can have its staging, or its block, where it told. */
bool mst_member_has_room(const mst_geometry *geometry, const mst_member *member);

/* Creates the sub-arena of `size` members from their parts, which come from peers: BAD_ARENA unless every
 * offset is in its owner's region. Takes ownership of our own part on success. */
muster_status mst_subarena_open(mst_attachment *attachment, const mst_member *members, int rank, int size,
                                mst_subarena **subarena);

/* A number of the group: rank 0's part, which no other group ever has. */
static inline uint64_t mst_subarena_number(const mst_subarena *subarena)
{
    const mst_member *first = &subarena->members[0];

    return (uint64_t)first->seat << 48 | (uint64_t)first->cell << 32 | (first->membership & UINT32_MAX);
}

/* Leaves the group; its memory is freed when peers no longer read it. Never blocks, never fails. */
void mst_subarena_retire(mst_subarena *subarena);

/* Drops a reference to the attachment. The last one destroys it, with its retired sub-arenas. */
void mst_subarena_drop_attachment(mst_attachment *attachment);

/* Whether a member is still in the group. */
bool mst_subarena_has_member(const mst_subarena *subarena, int rank);

/* Whether our own cell is poisoned: then peers may be at any point of an operation. */
bool mst_subarena_is_broken(const mst_subarena *subarena);

/* The group is broken: what malloc serves from the arena is not used again, when the program has freed it,
 * before all members have left the group or can write no more. */
void mst_subarena_keep_freed(mst_subarena *subarena);

/* Frees the groups that this rank has freed, and all others have left meanwhile. */
void mst_subarenas_reclaim(mst_attachment *attachment);

/* Breaks the group if a member has ended without leaving, whichever member others wait for. Returns whether
 * one has. */
bool mst_subarena_look_at_terminations(const mst_subarena *subarena);

/* The same for every group of the rank. */
void mst_subarenas_look_at_terminations(mst_attachment *attachment);

#endif
