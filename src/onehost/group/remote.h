/*
 * Reading the private memory of a group's members, where the system lets this process: one copy in place of
 * two through staging or a channel. Who is asked to read tries it, and says whether it could; peers lend only
 * what would be staged otherwise, and stage it when somebody could not. So nothing depends on a promise of
 * the system, which may take the right away at any time.
 */
#ifndef MST_REMOTE_H
#define MST_REMOTE_H

#include "src/onehost/group/group.h"

/* Of a call record: whether the rank takes part in reading inputs where they are (coll/one_copy.h). */
typedef enum mst_reads {
    MST_READS_STAGED,  /* no: this is no such call */
    MST_READS_REFUSED, /* it is, and the rank cannot read the memory of all members */
    MST_READS_ALL
} mst_reads;

/* A member's process, as it was known when the group was made: never read from the arena again. */
typedef struct mst_remote {
    mst_os_remote process;
    bool readable; /* its token has been read */
} mst_remote;

/* Tries to read the token of each member, if the group may make use of it; false: no memory. */
bool mst_remotes_init(mst_group *group);
void mst_remotes_destroy(mst_group *group);

/* Reads all of it, or returns false: some of `to` may have been written then. The member lends it, and gets
 * it back by an error only if the group is broken: look behind (mst_group_was_whole). */
bool mst_remote_read(const mst_group *group, int rank, void *to, uint64_t address, size_t bytes);

/* In place of an arena offset, where both may be: an address in the memory of the rank that says it. The
 * upper byte may have a tag (of pointers, on some CPUs), which belongs to no address. */
#define MST_ADDRESS_MARK (1ULL << 63)
#define MST_ADDRESS_BITS ((1ULL << 56) - 1)

static inline uint64_t mst_address_mark(const void *at)
{
    return ((uintptr_t)at & MST_ADDRESS_BITS) | MST_ADDRESS_MARK;
}

static inline bool mst_is_address(uint64_t place)
{
    return (place & MST_ADDRESS_MARK) != 0;
}

static inline uint64_t mst_address_of(uint64_t place)
{
    return place & MST_ADDRESS_BITS;
}

#endif
