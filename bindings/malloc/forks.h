/*
 * What a forked child gets in place of the arena, which it does not inherit: a private copy of the parent's
 * blocks, at the same addresses. The parent makes it before it forks, so nothing that anybody writes later is
 * in it, and no descriptor, pipe or wait is needed; the child moves it to its place. It costs the memory of
 * the blocks once more: unlike with private memory, the two do not share what neither writes.
 */
#ifndef MST_FORKS_H
#define MST_FORKS_H

#include "bindings/malloc/table.h"
#include "src/pure/malloc_offer.h"

typedef struct mst_fork_copy {
    unsigned char *at; /* NULL: none */
    uint64_t bytes;
} mst_fork_copy;

/* Without memory for it there is none, and a child that touches a block gets SIGSEGV. */
void mst_fork_copy_make(mst_fork_copy *copy, const mst_malloc_offer *offer, const mst_block_table *table);
void mst_fork_copy_drop(mst_fork_copy *copy);
void mst_fork_copy_put(mst_fork_copy *copy, const mst_malloc_offer *offer);

#endif
