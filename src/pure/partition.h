/* How work is divided among ranks: pure arithmetic, identical on every rank. */
#ifndef MST_PARTITION_H
#define MST_PARTITION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct mst_slice {
    size_t begin;
    size_t count;
} mst_slice;

/*
 * Slice `index` of `count` elements divided into `parts` slices, in order. Slices begin at multiples of
 * `granule` elements, so that no two ranks write to one cache line; the last ones may be shorter or empty.
 */
mst_slice mst_partition(size_t count, int parts, int index, size_t granule);

/* a * b * c; false if a size_t cannot hold it. */
bool mst_multiply(size_t a, size_t b, size_t c, size_t *product);

/* Whether the two ranges share a byte. */
bool mst_overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

#endif
