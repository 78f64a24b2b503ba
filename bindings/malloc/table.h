/*
 * The bookkeeping of blocks.c: which units of the range are which block, and lists of blocks. Pure: it
 * touches no byte of the range. The caller has a lock.
 */
#ifndef MST_TABLE_H
#define MST_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_NO_BLOCK UINT32_MAX
#define MST_BLOCK_PAGE 4096ULL /* in which use is counted, whatever the system's pages are */
#define MST_BLOCK_CLASSES 128

typedef struct mst_block {
    uint32_t next;    /* in its list */
    uint32_t pages;   /* in use; 0: it is free, or no block begins here */
    uint32_t touched; /* pages at its beginning that may have memory */
    uint8_t class;
} mst_block;

typedef struct mst_block_table {
    mst_block *blocks; /* by the first unit of each; NULL: there is no range yet */
    uint32_t units;
    uint32_t end;                      /* units from here on have never been part of a block */
    uint32_t used[MST_BLOCK_CLASSES];  /* free blocks that may have memory, by class */
    uint32_t fresh[MST_BLOCK_CLASSES]; /* free blocks that read as zeros */
    uint32_t kept;                     /* freed blocks to which peers may write yet */
    uint64_t pages_in_use, pages_cached, pages_kept;
} mst_block_table;

bool mst_block_table_init(mst_block_table *table, uint64_t units); /* false: no memory */

unsigned mst_class_of(size_t bytes);
uint64_t mst_class_units(unsigned class);

void mst_block_push(mst_block_table *table, uint32_t *list, uint32_t unit);
uint32_t mst_block_pop(mst_block_table *table, uint32_t *list); /* MST_NO_BLOCK: it is empty */

void mst_block_push_kept(mst_block_table *table, uint32_t unit);
uint32_t mst_block_pop_kept(mst_block_table *table);

void mst_block_push_used(mst_block_table *table, uint32_t unit);
void mst_block_push_fresh(mst_block_table *table, uint32_t unit);
uint32_t mst_block_pop_used(mst_block_table *table, unsigned class);
uint32_t mst_block_pop_largest_used(mst_block_table *table);

/* A new block behind all others, that begins at a multiple of `align` units. */
uint32_t mst_block_extend(mst_block_table *table, unsigned class, uint32_t align);

void mst_block_use(mst_block_table *table, uint32_t unit, size_t bytes);
void mst_block_end_use(mst_block_table *table, uint32_t unit);
bool mst_block_is_used(const mst_block_table *table, uint64_t unit);

#endif
