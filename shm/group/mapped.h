/*
 * Blocks that all members of a group map and use directly, in place of staging: which of them an address is
 * in, what corresponds to it at a peer, and whether this process may write there.
 *
 * Private to a process: each member notes where the blocks of its groups are, in the sub-arenas on its list
 * of open groups.
 */
#ifndef MST_MAPPED_H
#define MST_MAPPED_H

#include "shm/group/subarena.h"

/* Notes where this process has mapped the members' blocks, and how long they are: arrays by rank, which must
 * exist as long as the sub-arena. */
void mst_subarena_map_blocks(mst_subarena *subarena, unsigned char *const *begin, const uint64_t *bytes);
/* Notes whether this process may only read them. */
void mst_subarena_seal(mst_subarena *subarena, bool sealed);

/* Translates `mine`, an address in our block of a group, to the same offset in the block of that seat's rank.
 * NULL: `mine` is in no such block, or the seat is not a member of that group. *left: how many bytes the
 * other block has from there on. */
void *mst_subarena_corresponding(mst_attachment *attachment, const void *mine, uint32_t seat, uint64_t *left);

/* Whether an address is in a block that we may only read. */
bool mst_subarena_is_sealed(mst_attachment *attachment, const void *address);
#endif
