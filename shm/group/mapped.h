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

/* Notes that the blocks in place of staging are for all members to use, and, at `begin` of each, what is
 * there for them; later, whether this process may only read them. */
void mst_subarena_map_blocks(mst_subarena *subarena, unsigned char *const *begin, const uint64_t *bytes);
void mst_subarena_seal(mst_subarena *subarena, bool sealed);

/* Where the memory of another seat is that corresponds to `mine` in such a block of ours; NULL: `mine` is in
 * no such block, or in one that the seat's rank does not share. *left: how many bytes of that rank's block
 * are left from there. */
void *mst_subarena_corresponding(mst_attachment *attachment, const void *mine, uint32_t seat, uint64_t *left);

/* Whether an address is in a block that we may only read. */
bool mst_subarena_is_sealed(mst_attachment *attachment, const void *address);
#endif
