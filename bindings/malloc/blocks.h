/*
 * Blocks of the rank's arena memory, for malloc.c: which parts of the offered range are in use.
 *
 * Blocks come in classes of sizes, four for each power of two, and a block keeps its class for ever: taking
 * and freeing one is a push or a pop on the list of its class. All bookkeeping is in private memory, so that
 * nothing that a peer writes can mislead it. Memory is the system's until the program touches it, as with
 * libc's own large blocks. Freed blocks keep their pages for the next one, up to a limit; beyond it they are
 * returned to the system at once.
 *
 * A block that is freed while peers may still write to it (they are in an operation of a broken group) is not
 * used again before they cannot. While more than the same limit waits for that, nothing is taken from the
 * range, and what is freed beyond it gives its pages back at once.
 */
#ifndef MST_BLOCKS_H
#define MST_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "src/pure/malloc_offer.h"

#define MST_BLOCK_BYTES_MIN 65536 /* smaller ones stay with libc */

/* The offered range, and 0 bytes before there is one; `serving` false: nothing is taken from it. */
typedef struct mst_blocks_range {
    unsigned char *begin;
    _Atomic uint64_t bytes;
    _Atomic bool serving;
} mst_blocks_range;

extern mst_blocks_range mst_blocks_range_served;

/* Whether malloc served it from the range. */
static inline bool mst_blocks_have(const void *at)
{
    const mst_blocks_range *range = &mst_blocks_range_served;
    uint64_t bytes = atomic_load_explicit(&range->bytes, memory_order_acquire); /* `begin` is from before */

    return (uint64_t)((uintptr_t)at - (uintptr_t)range->begin) < bytes;
}

static inline bool mst_blocks_serve(size_t bytes)
{
    return bytes >= MST_BLOCK_BYTES_MIN &&
           atomic_load_explicit(&mst_blocks_range_served.serving, memory_order_acquire);
}

bool mst_blocks_begin(const mst_malloc_offer *offer); /* false: there is a range already, or no memory */

/* A block aligned to MST_MALLOC_UNIT; NULL: there is none. Its bytes are zeros if `zeros`. */
void *mst_blocks_take(size_t bytes, bool zeros);
void mst_blocks_give(void *at); /* ends the process unless `at` is a block in use, as libc's free does */
size_t mst_blocks_usable(const void *at);
bool mst_blocks_resize(void *at, size_t bytes); /* in place; false: it would not fit, or waste much */

/* Around a fork: the child gets a private copy of all blocks, at the same addresses. */
void mst_blocks_before_fork(void);
void mst_blocks_in_parent(void);
void mst_blocks_in_child(void);

#endif
