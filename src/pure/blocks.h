/*
 * Blocks of different sizes: what the callers of collectives with varied blocks say about a buffer, by rank;
 * and by it, how much a rank gives to each rank, or takes from it.
 *
 * What one rank gives another must be what that one takes. No rank knows all pairs, and none needs to: each
 * computes its balance, the sum of a hash of (from, to, count) over all that it gives, less the same over all
 * that it takes. If all pairs agree, each hash is added once and subtracted once, and the balances of all
 * ranks add up to 0; otherwise they do so with a probability of 2^-64.
 */
#ifndef MST_BLOCKS_H
#define MST_BLOCKS_H

#include <stdint.h>

#include "src/pure/collective.h"

/* In elements, one of each per rank. */
typedef struct mst_blocks {
    const size_t *counts;
    const size_t *displacements; /* from the beginning of the buffer; NULL: the blocks are packed */
} mst_blocks;

/* What a buffer's blocks are together, in elements. */
typedef struct mst_blocks_size {
    size_t total;
    size_t begin, end; /* the range that contains all blocks that are not empty */
} mst_blocks_size;

/* False if a size_t cannot hold the sums. */
bool mst_blocks_measure(const mst_blocks *blocks, int size, mst_blocks_size *measured);

#define MST_BLOCKS_MAX 1024 /* blocks of a buffer, and ranks of a group */

/* Whether no two blocks share an element; otherwise *first and *second do. */
bool mst_blocks_disjoint(const mst_blocks *blocks, int size, int *first, int *second);

/* A buffer of blocks, at an address. */
typedef struct mst_placed_blocks {
    const mst_blocks *blocks;
    int size; /* how many */
    uintptr_t at;
} mst_placed_blocks;

/* Whether a block of `a` and one of `b`, in which no two share an element, share a byte. */
bool mst_blocks_meet(const mst_placed_blocks *a, const mst_placed_blocks *b, size_t element_bytes);

/* The offset of each block in bytes. */
void mst_blocks_place(const mst_blocks *blocks, int size, size_t element_bytes, size_t *at);

/* How many elements go between this rank and each rank from `first` to before `end`, and no others. */
typedef struct mst_counts {
    const size_t *counts; /* by rank; NULL: as many for each */
    size_t each;
    int first, end;
} mst_counts;

/* What goes through this rank's buffer. `here` and `there`: the spans of this buffer and of those at the
 * other end; `counts`: of its blocks, if they vary; `each`: of its block otherwise. */
mst_counts mst_counts_through(mst_span here, mst_span there, const size_t *counts, size_t each, int root,
                              int rank, int size);

/* The count of a rank from `first` to before `end`. */
static inline size_t mst_counts_at(const mst_counts *between, int rank)
{
    return between->counts ? between->counts[rank] : between->each;
}

/* The count of any rank. */
static inline size_t mst_counts_of(const mst_counts *between, int rank)
{
    return rank >= between->first && rank < between->end ? mst_counts_at(between, rank) : 0;
}

uint64_t mst_counts_balance(const mst_counts *gives, const mst_counts *takes, int rank);

#endif
