/*
 * Blocks of this rank's heap that it has claimed for a group: what muster_alloc gives, and channels. They are
 * freed one by one, and with the group at the latest; in a broken group only then, since peers may still read
 * them.
 */
#ifndef MST_GROUP_BLOCKS_H
#define MST_GROUP_BLOCKS_H

#include "shm/group/subarena.h"

muster_status mst_subarena_claim_block(mst_subarena *subarena, uint64_t bytes, uint64_t *offset);
bool mst_subarena_release_block(mst_subarena *subarena, uint64_t offset); /* false: no such block */
/* Leaves a block, for good, to peers that may still read it. */
void mst_subarena_abandon_block(mst_subarena *subarena, uint64_t offset);

#endif
